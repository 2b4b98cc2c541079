import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Refused } from '../../src/api/http.ts';
import type { Event, Failure } from '../../src/api/types.ts';
import { TRIES, follow } from '../../src/work/follow.ts';

const ada = { id: 1, name: 'Ada' };

function event(id: number, more: Partial<Event> = {}): Event {
  const action = { kind: 'annotate', masklets: [5], frames: 16, edited: 0, clicks: 0, milliseconds: 0, phase: 3 };
  const usual = { at: 0, user: 1, user_name: 'Ada', scope: 'task 1', way: 'do' as const, stands: true };
  return { id, reverts: null, action, ...usual, ...more };
}

/** A server that is at `events` more than 10, and takes a change of its newest revision only. */
class Task {
  revision = 10;
  events: Event[];
  taken = 0;
  refreshed: Failure[] = [];
  repeated = false;

  constructor(events: Event[]) {
    this.events = events;
  }

  /** Makes a change from revision 10 on. */
  change({ follows = true, before = () => undefined as void } = {}): Promise<number> {
    const send = async (seen: number) => {
      before();
      const current = this.events.at(-1)?.id ?? 10;
      if (seen === current) return ++this.taken;
      const since = this.events.filter(({ id }) => id > seen);
      throw new Refused(
        409,
        { code: 'stale', message: 'stale', current, since, since_count: since.length },
        this.repeated,
      );
    };
    return follow(send, {
      follows,
      revision: () => this.revision,
      refresh: async (failure) => {
        this.refreshed.push(failure);
        this.revision = failure.current!;
      },
      user: ada,
    });
  }
}

test('a change follows what is tracked meanwhile', async () => {
  const task = new Task([event(11), event(12)]);
  assert.equal(await task.change(), 1);
  assert.deepEqual(
    task.refreshed.map(({ current }) => current),
    [12],
  );
});

test('it follows again when more is tracked, but not for ever', async () => {
  const task = new Task([]);
  let saves = 0;
  const before = () => void (saves++ < 3 && task.events.push(event(10 + saves)));
  assert.equal(await task.change({ before }), 1);
  assert.equal(task.refreshed.length, 3);

  const busy = new Task([]);
  let id = 10;
  await assert.rejects(busy.change({ before: () => void busy.events.push(event(++id)) }), /another window of yours/);
  assert.equal(busy.refreshed.length, TRIES - 1);
  assert.equal(busy.taken, 0);
});

test('what a person did is a conflict, and who did it is told', async () => {
  const tracked = event(11);
  const others: [Partial<Event>, RegExp][] = [
    [{ user: 2, user_name: 'Vera' }, /changed by Vera\. The newest/],
    [{ action: { ...tracked.action, edited: 1 } }, /changed by another window of yours/],
    [{ way: 'redo', action: { kind: 'revert', event: 3 } }, /another window of yours/],
    [{ action: { kind: 'remove-masklet', masklet: 5 } }, /another window of yours/],
  ];
  for (const [other, told] of others) {
    const task = new Task([tracked, event(12, other), event(13)]);
    await assert.rejects(task.change(), told);
    assert.deepEqual([task.taken, task.refreshed.length], [0, 0]);
  }
});

test('what means the state that was seen does not follow', async () => {
  const task = new Task([event(11)]);
  await assert.rejects(task.change({ follows: false }), /was not saved/);
  assert.equal(task.taken, 0);
});

test('a change that may have been made before the connection was lost is not made twice', async () => {
  const made = event(11, { action: { ...event(11).action, edited: 1 } });
  const task = new Task([made]);
  task.repeated = true;
  await assert.rejects(task.change(), /The connection was lost while this was saved/);
  assert.equal(task.taken, 0);
});

test('other refusals are told as they are, after following too', async () => {
  const lost = new Refused(409, { code: 'not-held', message: 'you do not hold task 1' }, false);
  const stale = new Refused(
    409,
    { code: 'stale', message: 'stale', current: 11, since: [event(11)], since_count: 1 },
    false,
  );
  const answers = [stale, lost];
  const base = { follows: true, revision: () => 10, refresh: async () => undefined, user: ada };
  await assert.rejects(
    follow(() => Promise.reject(answers.shift()!), base),
    (error) => error === lost,
  );
});

test('a change is not made again over so much that not all of it was told', async () => {
  const stale = new Refused(
    409,
    { code: 'stale', message: 'stale', current: 11, since: [event(11)], since_count: 1200 },
    false,
  );
  const send = () => Promise.reject(stale);
  const base = { revision: () => 1, follows: true, refresh: () => Promise.resolve(), user: { id: 1, name: 'Ada' } };
  await assert.rejects(follow(send, base), /was not saved/);
});
