import assert from 'node:assert/strict';
import { test } from 'node:test';

import { kept, needed } from '../../src/work/frames.ts';

const MANY = 100;

test('who goes on gets the frames ahead', () => {
  assert.deepEqual(needed(5, 1, 100, MANY), [5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
  assert.deepEqual(needed(97, 1, 100, MANY), [97, 98, 99]);
});

test('who goes back gets whole stretches, each in rising order', () => {
  assert.deepEqual(needed(30, -1, 100, MANY), [24, 25, 26, 27, 28, 29, 30]);
  assert.deepEqual(needed(26, -1, 100, MANY), [24, 25, 26, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23]);
  assert.deepEqual(needed(2, -1, 100, MANY), [0, 1, 2]);
});

test('large frames: no more are needed than are kept, and the one that is shown is among them', () => {
  for (const [width, height] of [
    [64, 64],
    [1920, 1080],
    [3840, 2160],
    [7680, 4320],
  ] as const) {
    const most = kept({ width, height });
    assert.ok(most >= 2 && most <= 1000, `${width}x${height}: ${most}`);
    for (let frame = 0; frame < 60; frame++) {
      for (const direction of [1, -1] as const) {
        const frames = needed(frame, direction, 60, most);
        assert.ok(frames.length <= most, `${frames.length} of ${most}`);
        assert.ok(frames.includes(frame));
      }
    }
  }
  assert.deepEqual(needed(5, 1, 100, 2), [5, 6]);
  assert.deepEqual(needed(5, -1, 100, 2), [5, 4]);
});
