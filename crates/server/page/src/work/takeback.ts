// Undo and redo. A propagation is saved in several events; it is taken back as one.

import { history } from '../api/calls.ts';
import type { Event } from '../api/types.ts';
import { tell } from '../state/notices.ts';
import { type Back, type Step, nextStep } from './steps.ts';
import type { Work } from './work.ts';

/** Events that are asked for at first, and then at once where a step is longer. */
const FEW = 100;
const MANY = 1000;

export class TakeBack {
  readonly #work: Work;

  constructor(work: Work) {
    this.#work = work;
  }

  undo(): Promise<void> {
    return this.#run('undo');
  }

  redo(): Promise<void> {
    return this.#run('redo');
  }

  async #run(way: Back): Promise<void> {
    const { scope, propagation } = this.#work;
    if (propagation.state.peek()) return tell('Something is being tracked: cancel that first (Esc).');
    // All of it is one change in the line: no other comes between.
    const taken = await this.#work.act(
      async (seen) => {
        const [, ...others] = await this.#step(way);
        let answer = await history[way](scope, seen);
        for (const _ of others) answer = await history[way](scope, answer.revision);
        return answer;
      },
      { follows: false },
    );
    if (taken) await this.#work.reload();
  }

  async #step(way: Back): Promise<Step> {
    const events: Event[] = [];
    for (let limit = FEW; ; limit = MANY) {
      const older = await history.list(this.#work.scope, events.at(-1)?.id, limit);
      events.push(...older);
      const step = nextStep(events, older.length < limit, way);
      if (step || older.length < limit) return step ?? [];
    }
  }
}
