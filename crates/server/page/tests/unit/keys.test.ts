import assert from 'node:assert/strict';
import { test } from 'node:test';

// The module reads a stored choice when it is loaded.
Object.assign(globalThis, { localStorage: { getItem: () => null } });
const { nameOf } = await import('../../src/ui/keys.ts');

const key = (name: string, held: { ctrl?: boolean; shift?: boolean; meta?: boolean } = {}) =>
  nameOf({ key: name, ctrlKey: held.ctrl ?? false, shiftKey: held.shift ?? false, metaKey: held.meta ?? false });

test('keys are called as on the help sheet', () => {
  assert.equal(key('z', { ctrl: true }), 'Ctrl+Z');
  assert.equal(key('z', { meta: true }), 'Ctrl+Z');
  assert.equal(key('Z', { ctrl: true, shift: true }), 'Ctrl+Shift+Z');
  assert.equal(key('ArrowLeft', { shift: true }), 'Shift+←');
  assert.equal(key('?', { shift: true }), '?', 'shift is part of the sign');
  assert.equal(key('+', { shift: true }), '+');
  assert.equal(key(' '), 'Space');
  assert.equal(key('Enter', { shift: true }), 'Shift+Enter');
  assert.equal(key('7'), '7');
});
