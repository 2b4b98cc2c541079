import assert from 'node:assert/strict';
import { test } from 'node:test';

import { fitted, panned, toStage, toVideo, zoomed } from '../../src/stage/viewport.ts';

const VIDEO = { width: 1280, height: 720 };
const STAGE = { width: 900, height: 500 };

test('the whole video fits, in the middle', () => {
  const view = fitted(VIDEO, STAGE);
  assert.equal(view.scale, 500 / 720);
  assert.equal(view.top, 0);
  assert.ok(Math.abs(view.left - (900 - 1280 * view.scale) / 2) < 1e-9);
});

test('what is under the pointer stays there while zooming', () => {
  const pointer = { x: 300, y: 200 };
  const view = fitted(VIDEO, STAGE);
  const before = toVideo(view, pointer);
  const after = toStage(zoomed(view, 3, pointer, VIDEO, STAGE), before);
  assert.ok(Math.hypot(after.x - pointer.x, after.y - pointer.y) < 1e-9);
});

test('zoom has bounds and the video stays in sight', () => {
  const view = fitted(VIDEO, STAGE);
  assert.equal(zoomed(view, 1e9, { x: 1, y: 1 }, VIDEO, STAGE).scale, 40);
  assert.equal(zoomed(view, 1e-9, { x: 1, y: 1 }, VIDEO, STAGE).scale, view.scale / 2);
  const away = panned(view, 1e6, -1e6, VIDEO, STAGE);
  assert.ok(away.left < STAGE.width && away.top + away.scale * VIDEO.height > 0);
});
