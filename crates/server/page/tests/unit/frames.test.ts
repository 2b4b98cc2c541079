import assert from 'node:assert/strict';
import { test } from 'node:test';

import { needed } from '../../src/work/frames.ts';

test('who goes on gets the frames ahead', () => {
  assert.deepEqual(needed(5, 1, 100), [5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
  assert.deepEqual(needed(97, 1, 100), [97, 98, 99]);
});

test('who goes back gets whole stretches, each in rising order', () => {
  assert.deepEqual(needed(30, -1, 100), [24, 25, 26, 27, 28, 29, 30]);
  assert.deepEqual(needed(26, -1, 100), [24, 25, 26, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23]);
  assert.deepEqual(needed(2, -1, 100), [0, 1, 2]);
});
