import assert from 'node:assert/strict';
import { test } from 'node:test';

import { effect } from '@preact/signals';

import type { FrameEntry } from '../../src/api/types.ts';
import { Entries, isTouched, nearest } from '../../src/work/entries.ts';

function entry(frame: number, area: number, more: Partial<FrameEntry> = {}): FrameEntry {
  return { frame, area, mask: { blob: 'b', line: 0 }, prompts: [], prompted: false, edited: false, ...more };
}

test('what is counted of an object follows every change', () => {
  const entries = new Entries();
  const track = entries.of(1);
  const counts = () => [track.frames.size, track.visible, track.touched];
  entries.put(1, entry(0, 5, { prompted: true }));
  entries.put(1, entry(1, 0, { edited: true }));
  entries.put(1, entry(2, 7));
  assert.deepEqual(counts(), [3, 2, 2]);
  entries.put(1, entry(0, 0));
  assert.deepEqual(counts(), [3, 1, 1], 'an entry that is put in the place of another');
  entries.remove(1, [1, 2, 77]);
  assert.deepEqual(counts(), [1, 0, 0]);
  entries.replace([{ masklet: 1, frames: [entry(4, 1), entry(5, 1, { prompted: true, edited: true })] }]);
  assert.deepEqual(counts(), [2, 2, 1]);
  assert.equal(entries.get(1, 0), undefined);
  entries.replace([{ masklet: 2, frames: [entry(4, 1)] }]);
  assert.deepEqual(counts(), [0, 0, 0], 'an object that is there no more');
  assert.equal(entries.of(1), track, 'whoever watches it sees it come back');
});

test('only the lane of what has changed is told, and once', () => {
  const entries = new Entries();
  const told = { one: 0, other: 0, any: 0 };
  effect(() => void (entries.of(1).changed.value >= 0 && told.one++));
  effect(() => void (entries.of(2).changed.value >= 0 && told.other++));
  effect(() => void (entries.changed.value >= 0 && told.any++));
  entries.put(1, entry(0, 5));
  assert.deepEqual(told, { one: 2, other: 1, any: 2 });
  const frames = Array.from({ length: 5000 }, (_, frame) => entry(frame, 1));
  entries.replace([{ masklet: 1, frames }]);
  assert.deepEqual(told, { one: 3, other: 2, any: 3 });
});

test('the nearest frame is found, among very many too', () => {
  const entries = new Entries();
  const frames = Array.from({ length: 200_000 }, (_, frame) => entry(frame, 1, { edited: frame % 1000 === 500 }));
  entries.replace([
    { masklet: 1, frames },
    { masklet: 2, frames: [entry(1700, 1, { prompted: true })] },
  ]);
  const tracks = [entries.of(1), entries.of(2)];
  assert.equal(nearest(tracks, 1500, 1, isTouched), 1700);
  assert.equal(nearest(tracks, 1500, -1, isTouched), 500);
  assert.equal(nearest(tracks, 199_500, 1, isTouched), undefined);
  assert.equal(
    nearest(tracks, -1, 1, () => true),
    0,
  );
});
