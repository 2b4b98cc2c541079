import assert from 'node:assert/strict';
import { test } from 'node:test';

import { WorkClock } from '../../src/work/clock.ts';

test('time without input does not count as work', () => {
  let now = 0;
  const clock = new WorkClock(() => now);
  now = 5_000;
  clock.touch();
  now = 600_000;
  assert.equal(clock.take(), 35_000);
  now = 601_000;
  assert.equal(clock.take(), 1_000);
  assert.equal(clock.take(), 0);
});
