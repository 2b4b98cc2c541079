// Undo and redo. A propagation is saved in several events; it is taken back as one.

import { history } from '../api/calls.ts';
import { tell } from '../state/notices.ts';
import type { Work } from './work.ts';

export class TakeBack {
  readonly #work: Work;
  /** The events that belong together with one, by its number. */
  readonly #groups = new Map<number, readonly number[]>();

  constructor(work: Work) {
    this.#work = work;
  }

  /** Notes that events belong together. */
  join(events: readonly number[]): void {
    if (events.length > 1) events.forEach((event) => this.#groups.set(event, events));
  }

  undo(): Promise<void> {
    return this.#run(history.undo);
  }

  redo(): Promise<void> {
    return this.#run(history.redo);
  }

  async #run(take: typeof history.undo): Promise<void> {
    const { scope, propagation } = this.#work;
    if (propagation.state.peek()) return tell('Something is being tracked: cancel that first (Esc).');
    const made: number[] = [];
    let left = 1;
    while (left-- > 0) {
      const answer = await this.#work.act((seen) => take(scope, seen));
      if (!answer) break;
      if (made.length === 0) left = (this.#groups.get(answer.event)?.length ?? 1) - 1;
      made.push(answer.revision);
    }
    this.join(made);
    if (made.length > 0) await this.#work.reload();
  }
}
