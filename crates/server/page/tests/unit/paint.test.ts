import assert from 'node:assert/strict';
import { test } from 'node:test';

import { fillPolygon, paintLine, union } from '../../src/masks/paint.ts';
import { type Bitmap, emptyBitmap } from '../../src/masks/rle.ts';

function rows({ width, height, data }: Bitmap): string[] {
  return Array.from({ length: height }, (_, y) => data.slice(y * width, (y + 1) * width).join(''));
}

test('the smallest brush sets the pixel that it is on', () => {
  for (const point of [
    { x: 2.01, y: 1.01 },
    { x: 2.5, y: 1.5 },
    { x: 2.49, y: 1.3 },
  ]) {
    const mask = emptyBitmap(5, 3);
    paintLine(mask, point, point, 1, 1);
    assert.equal(mask.data[1 * 5 + 2], 1);
  }
  const mask = emptyBitmap(5, 3);
  paintLine(mask, { x: 2.5, y: 1.5 }, { x: 2.5, y: 1.5 }, 1, 1);
  assert.deepEqual(rows(mask), ['00000', '00100', '00000']);
});

test('a stroke is round at its ends and the eraser takes it away', () => {
  const mask = emptyBitmap(9, 5);
  const [from, to] = [
    { x: 2.5, y: 2.5 },
    { x: 6.5, y: 2.5 },
  ];
  paintLine(mask, from, to, 3, 1);
  assert.deepEqual(rows(mask), ['000000000', '011111110', '011111110', '011111110', '000000000']);
  paintLine(mask, from, to, 3, 0);
  assert.ok(mask.data.every((value) => value === 0));
});

test('a stroke that leaves the picture is clipped', () => {
  const mask = emptyBitmap(4, 4);
  const area = paintLine(mask, { x: -3, y: -3 }, { x: 1, y: 1 }, 2, 1);
  assert.equal(mask.data[0], 1);
  assert.equal(mask.data[15], 0);
  assert.ok(area && area.x0 === 0 && area.y0 === 0);
  assert.equal(paintLine(mask, { x: -9, y: -9 }, { x: -8, y: -8 }, 2, 1), null);
});

test('a polygon has the pixels whose centres are inside', () => {
  const mask = emptyBitmap(6, 5);
  fillPolygon(
    mask,
    [
      { x: 1, y: 1 },
      { x: 5, y: 1 },
      { x: 5, y: 4 },
      { x: 1, y: 4 },
    ],
    1,
  );
  assert.deepEqual(rows(mask), ['000000', '011110', '011110', '011110', '000000']);
  fillPolygon(
    mask,
    [
      { x: 1.6, y: 1 },
      { x: 2.4, y: 1 },
      { x: 2.4, y: 9 },
      { x: 1.6, y: 9 },
    ],
    0,
  );
  assert.deepEqual(rows(mask), ['000000', '011110', '011110', '011110', '000000'], 'no centre is inside');
});

test('polygons beside each other share no pixel and leave none out', () => {
  const [left, right] = [emptyBitmap(8, 8), emptyBitmap(8, 8)];
  const [top, bottom] = [
    { x: 2.3, y: 0 },
    { x: 5.7, y: 8 },
  ];
  fillPolygon(left, [{ x: 0, y: 0 }, top, bottom, { x: 0, y: 8 }], 1);
  fillPolygon(right, [top, { x: 8, y: 0 }, { x: 8, y: 8 }, bottom], 1);
  left.data.forEach((value, at) => assert.equal(value + right.data[at]!, 1, `pixel ${at}`));
});

test('areas are joined', () => {
  const one = { x0: 1, y0: 2, x1: 3, y1: 4 };
  assert.deepEqual(union(one, { x0: 0, y0: 3, x1: 2, y1: 9 }), { x0: 0, y0: 2, x1: 3, y1: 9 });
  assert.deepEqual(union(null, one), one);
  assert.equal(union(null, null), null);
});
