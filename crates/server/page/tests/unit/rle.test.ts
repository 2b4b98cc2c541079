import assert from 'node:assert/strict';
import { test } from 'node:test';

import { type Bitmap, areaOf, countsOf, decode, emptyBitmap, encode, runsOf } from '../../src/masks/rle.ts';

function bitmap(rows: readonly string[]): Bitmap {
  const data = Uint8Array.from(rows.join(''), Number);
  return { width: rows[0]!.length, height: rows.length, data };
}

// As pycocotools 2.0 encodes them.
const WOVEN = bitmap(
  Array.from({ length: 13 }, (_, y) =>
    Array.from({ length: 11 }, (_, x) => ((x * 7 + y * 13 + x * y) % 5 < 2 ? 1 : 0)).join(''),
  ),
);
const KNOWN: [string, Bitmap, string][] = [
  [
    'a rectangle',
    bitmap(['000000000', '000000000', '000111110', '000111110', '000111110', '000000000', '000000000']),
    'g03400000005',
  ],
  ['a woven pattern', WOVEN, '011010O010O0012000:OF1000OO0O010O0000010O010O0012000:OF1000OO0O010O0000010O010O0'],
];

for (const [name, mask, counts] of KNOWN) {
  test(`${name} is encoded as pycocotools does and decoded again`, () => {
    assert.deepEqual(encode(mask), { size: [mask.height, mask.width], counts });
    assert.deepEqual(decode({ size: [mask.height, mask.width], counts }), mask);
    assert.equal(
      areaOf(counts),
      mask.data.reduce((sum, value) => sum + value, 0),
    );
  });
}

test('a large rectangle has the text that pycocotools gives it', () => {
  const mask = emptyBitmap(1280, 720);
  for (let y = 100; y < 600; y++) mask.data.fill(1, y * 1280 + 200, y * 1280 + 1100);
  const { counts } = encode(mask);
  assert.equal(counts.length, 1809);
  assert.ok(counts.startsWith('Tg\\4d?l600000000'));
  assert.deepEqual(decode({ size: [720, 1280], counts }), mask);
});

test('masks of nothing and of everything', () => {
  const none = emptyBitmap(5, 3);
  assert.deepEqual(runsOf(encode(none).counts), [15]);
  const all = { ...none, data: new Uint8Array(15).fill(1) };
  assert.deepEqual(runsOf(encode(all).counts), [0, 15]);
  assert.deepEqual(decode(encode(all)), all);
});

test('any mask comes back as it went in', () => {
  let state = 7;
  const random = () => (state = (state * 48271) % 2147483647) / 2147483647;
  for (let round = 0; round < 200; round++) {
    const mask = emptyBitmap(1 + Math.floor(random() * 40), 1 + Math.floor(random() * 40));
    const density = random();
    mask.data.forEach((_, at) => (mask.data[at] = random() < density ? 1 : 0));
    assert.deepEqual(decode(encode(mask)), mask);
  }
});

test('long runs and large differences', () => {
  const runs = [1_000_000, 1, 2, 900_000, 0, 31, 32, 16, 15, 5];
  assert.deepEqual(runsOf(countsOf(runs)), runs);
});

test('damaged masks are refused', () => {
  for (const counts of ['zzz', 'P', 'g03400000004', 'g034000000050', '?0']) {
    assert.throws(() => decode({ size: [7, 9], counts }), /mask's runs/, counts);
  }
});
