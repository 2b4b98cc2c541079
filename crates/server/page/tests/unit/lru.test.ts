import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Lru } from '../../src/work/lru.ts';

test('what is needed is not forgotten, whatever it weighs', () => {
  const needed = new Set([1, 2]);
  const lru = new Lru<number, string>(
    3,
    () => undefined,
    (key) => needed.has(key),
  );
  for (const key of [1, 2, 3, 4]) lru.set(key, `v${key}`, 2);
  assert.deepEqual(
    [1, 2, 3, 4].map((key) => lru.has(key)),
    [true, true, false, true],
  );
  needed.clear();
  lru.set(5, 'v5', 2);
  assert.deepEqual(
    [1, 2, 4, 5].map((key) => lru.has(key)),
    [false, false, false, true],
  );
});

test('what was used the longest ago is forgotten first', () => {
  const gone: string[] = [];
  const lru = new Lru<number, string>(3, (value) => gone.push(value));
  [1, 2, 3].forEach((key) => lru.set(key, `v${key}`));
  assert.equal(lru.get(1), 'v1');
  lru.set(4, 'v4');
  assert.deepEqual(gone, ['v2']);
  lru.set(5, 'heavy', 10);
  assert.deepEqual(gone, ['v2', 'v3', 'v1', 'v4']);
  assert.equal(lru.get(5), 'heavy', 'the newest stays, however heavy');
  lru.set(5, 'other', 2);
  lru.set(6, 'v6');
  assert.ok(lru.has(5) && lru.has(6));
  lru.clear();
  assert.ok(!lru.has(5) && gone.includes('v6'));
});
