import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { FrameEntry } from '../../src/api/types.ts';
import { columnsOf, frameAt, laneOf, middleOf, ticks } from '../../src/timeline/lanes.ts';

function entry(frame: number, area: number, more: Partial<FrameEntry> = {}): FrameEntry {
  return { frame, area, mask: { blob: 'b', line: 0 }, prompts: [], prompted: false, edited: false, ...more };
}

test('frames wider than a pixel take all of their pixels', () => {
  const lane = laneOf([entry(0, 5), entry(1, 0), entry(3, 9)], 4, 8);
  assert.deepEqual([...lane.columns], [2, 2, 1, 1, 0, 0, 2, 2]);
});

test('where many frames share a pixel, the most that is known is shown', () => {
  const lane = laneOf([entry(0, 0), entry(1, 3), entry(99, 0)], 100, 10);
  assert.deepEqual([...lane.columns], [2, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
});

test('prompted and edited frames are marked in their middle', () => {
  const click = entry(1, 4, { prompts: [{ kind: 'click', x: 1, y: 1, positive: true }], prompted: true });
  const drawn = entry(2, 4, { prompts: [{ kind: 'mask' }], prompted: true, edited: true });
  const lane = laneOf([click, drawn], 4, 40);
  assert.deepEqual(lane.prompted, [15]);
  assert.deepEqual(lane.edited, [25]);
});

test('very many frames make no more marks than there is room for', () => {
  const click = { prompts: [{ kind: 'click', x: 1, y: 1, positive: true }], prompted: true, edited: true } as const;
  const entries = Array.from({ length: 5000 }, (_, frame) =>
    entry(frame, 1, { ...click, prompts: [...click.prompts] }),
  );
  const lane = laneOf(entries, 5000, 640);
  assert.equal(lane.prompted.length, 80);
  assert.equal(lane.edited.length, 80);
  assert.ok(lane.columns.every((known) => known === 2));
  assert.equal(laneOf(entries.slice(0, 80), 80, 640).edited.length, 80, 'none is left out where there is room');
});

test('a place on the lane is the frame that is drawn there', () => {
  for (const [frames, width] of [
    [7, 1000],
    [300, 811],
    [5000, 640],
  ] as const) {
    for (let frame = 0; frame < frames; frame += Math.ceil(frames / 50)) {
      assert.equal(frameAt(middleOf(frame, frames, width), frames, width), frame);
      const [start, end] = columnsOf(frame, frames, width);
      assert.ok(start < end && end <= width);
    }
  }
  assert.equal(frameAt(-5, 10, 100), 0);
  assert.equal(frameAt(500, 10, 100), 9);
});

test('the ruler has few numbers', () => {
  assert.deepEqual(ticks(5, 10), [0, 1, 2, 3, 4]);
  assert.deepEqual(ticks(240, 10), [0, 25, 50, 75, 100, 125, 150, 175, 200, 225]);
  assert.ok(ticks(100_000, 12).length <= 12);
});
