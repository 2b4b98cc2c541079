import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Event } from '../../src/api/types.ts';
import { decimal, shortened, size } from '../../src/ui/format.ts';
import { describe } from '../../src/views/actions.ts';

const said = (action: Event['action'], way: Event['way'] = 'do') =>
  describe({ id: 1, at: 0, user: 1, user_name: 'Ada', scope: 'task 1', way, reverts: null, stands: true, action });

test('events are told in words', () => {
  const annotate = { kind: 'annotate', masklets: [3], frames: 1, clicks: 2, milliseconds: 9, phase: 3 };
  assert.equal(said({ ...annotate, edited: 1 }), 'annotated masklet 3 on 1 frame with 2 clicks');
  assert.equal(said({ ...annotate, edited: 0, frames: 40, clicks: 0 }), 'tracked masklet 3 over 40 frames');
  assert.equal(
    said({ kind: 'judge', masklet: 4, verdict: 'unsatisfactory', remark: 'the tail' }),
    'judged masklet 4: unsatisfactory (“the tail”)',
  );
  assert.equal(said({ kind: 'revert', event: 7 }, 'redo'), 'redid event 7');
  assert.equal(said({ kind: 'something-newer' }), 'something-newer');
});

test('small numbers keep their digits', () => {
  assert.deepEqual([0, 0.000_662, 0.29, 37.812, 4102.564].map(decimal), ['0', '0.00066', '0.29', '37.81', '4,102.56']);
});

test('sizes have the unit that makes them short', () => {
  assert.deepEqual([0, 999, 1000, 1_234_567, 4_294_967_296].map(size), ['0 B', '999 B', '1 KB', '1.23 MB', '4.29 GB']);
});

test('long names are shortened', () => {
  assert.equal(shortened('satisfactory', 12), 'satisfactory');
  assert.equal(shortened('Wilhelmina Feather', 12), 'Wilhelmina …');
  assert.equal(shortened('🦊🦊🦊', 2), '🦊…');
});
