import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Event } from '../../src/api/types.ts';
import { type Back, nextStep } from '../../src/work/steps.ts';

/** A task's history as the engine keeps it. */
class History {
  /** The newest first. */
  events: Event[] = [];

  #add(way: Event['way'], reverts: number | null, propagation?: number): number {
    const id = (this.events[0]?.id ?? 10) + 1;
    const action = { kind: reverts === null ? 'annotate' : 'revert', propagation };
    this.events.unshift({ id, at: 0, user: 1, user_name: 'Ada', scope: 'task 1', way, reverts, stands: true, action });
    return id;
  }

  act(propagation?: number): number {
    return this.#add('do', null, propagation);
  }

  /** Takes back what the engine would: the newest that stands. */
  take(way: Back): number | undefined {
    const undone = (event: Event) => event.stands && event.way === 'undo';
    const lastDone = this.events.find((event) => event.way === 'do')?.id ?? 0;
    const target =
      way === 'undo'
        ? this.events.find((event) => event.stands && event.way !== 'undo')
        : this.events.find((event) => undone(event) && event.id > lastDone);
    if (!target) return undefined;
    this.#add(way, target.id);
    let stands = false;
    for (let at: Event | undefined = target; at; at = this.events.find(({ id }) => id === at!.reverts)) {
      at.stands = stands;
      stands = !stands;
    }
    return target.id;
  }

  step(way: Back): readonly number[] | undefined {
    return nextStep(this.events, true, way);
  }

  /** Takes a step, and checks that the engine does the same. How many events it was. */
  back(way: Back): number {
    const step = this.step(way)!;
    assert.deepEqual(
      step.map(() => this.take(way)),
      step,
    );
    return step.length;
  }
}

test('an action is a step; a propagation is one', () => {
  const history = new History();
  history.act();
  history.act();
  for (const group of [1, 1, 1, 2, 2]) history.act(group);
  const undone = [1, 2, 3, 4].map(() => history.back('undo'));
  assert.deepEqual(undone, [2, 3, 1, 1]);
  assert.equal(history.back('undo'), 0);
  const redone = [1, 2, 3, 4].map(() => history.back('redo'));
  assert.deepEqual(redone, [1, 1, 3, 2]);
  assert.equal(history.back('redo'), 0);
  // And again: what was redone is taken back as it was made.
  assert.deepEqual(
    [history.back('undo'), history.back('undo'), history.back('redo'), history.back('undo')],
    [2, 3, 3, 3],
  );
});

test('what came between the frames of a propagation is a step of its own', () => {
  const history = new History();
  history.act(7);
  history.act(7);
  history.act();
  history.act(7);
  assert.deepEqual([history.back('undo'), history.back('undo'), history.back('undo')], [1, 1, 2]);
  assert.deepEqual([history.back('redo'), history.back('redo'), history.back('redo')], [2, 1, 1]);
});

test('what was undone is not redone over something new', () => {
  const history = new History();
  history.act(7);
  history.act(7);
  history.back('undo');
  history.act();
  assert.equal(history.back('redo'), 0);
  assert.equal(history.back('undo'), 1);
  assert.equal(history.back('undo'), 0);
});

test('older events are asked for only where a step depends on them', () => {
  const history = new History();
  for (let event = 0; event < 6; event++) history.act(7);
  const of = (count: number, way: Back) =>
    nextStep(history.events.slice(0, count), count >= history.events.length, way);
  assert.equal(of(3, 'undo'), undefined);
  assert.equal(of(6, 'undo')?.length, 6);
  history.back('undo');
  assert.equal(of(7, 'redo'), undefined, 'what the undone events were is not known');
  assert.equal(of(12, 'redo')?.length, 6);
  history.act();
  assert.equal(of(1, 'undo')?.length, 1);
});

test('undo and redo in any order end where they would one event at a time', () => {
  let seed = 7;
  const random = (below: number) => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return Math.floor((seed / 2147483648) * below);
  };
  const history = new History();
  let group = 0;
  for (let turn = 0; turn < 400; turn++) {
    const what = random(6);
    if (what === 0) history.act();
    else if (what === 1) {
      group++;
      for (let events = 1 + random(4); events > 0; events--) history.act(group);
    } else history.back(what < 4 ? 'undo' : 'redo');
  }
  assert.ok(history.events.length > 400);
});
