import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { FrameEntry } from '../../src/api/types.ts';
import type { Colour } from '../../src/masks/overlay.ts';
import { Entries } from '../../src/work/entries.ts';
import { isNeeded, keyOf } from '../../src/work/pictures.ts';

const RED: Colour = [255, 0, 0];

const entry = (frame: number, line: number): FrameEntry => ({
  frame,
  area: 1,
  mask: { blob: 'b', line },
  prompts: [],
  prompted: false,
  edited: false,
});

test('pictures of the frame that is shown and the next one are needed, of masks as they are now', () => {
  const entries = new Entries();
  const all = [entry(4, 1), entry(5, 1), entry(6, 1), entry(7, 1)];
  entries.replace([{ masklet: 3, frames: all }]);
  const needed = () => all.map((one) => isNeeded(keyOf(3, one, RED), 5, entries));
  assert.deepEqual(needed(), [false, true, true, false]);
  // A stroke makes another mask: pictures of those before it are not kept.
  entries.put(3, entry(5, 2));
  assert.deepEqual(needed(), [false, false, true, false]);
  assert.equal(isNeeded(keyOf(3, entry(5, 2), RED), 5, entries), true);
  assert.equal(isNeeded(keyOf(8, entry(5, 2), RED), 5, entries), false, 'an object that is gone');
});
