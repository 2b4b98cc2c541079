// Keyboard shortcuts: a list that says what each does, which the help sheet shows.

import { signal } from '@preact/signals';

export interface Shortcut {
  /** As on the help sheet: `Ctrl+Z`, `Shift+←`, `C`. Several do the same. */
  keys: string[];
  what: string;
  /** How the keys are shown where a list of them is too long. */
  shown?: string;
  run: (key: string) => void;
}

const STORED = 'masklet.single-key-shortcuts';

/** Whether shortcuts of a single letter are on: those who dictate may turn them off. */
export const singleKeys = signal(localStorage.getItem(STORED) !== 'off');

export function setSingleKeys(on: boolean): void {
  singleKeys.value = on;
  localStorage.setItem(STORED, on ? 'on' : 'off');
}

const NAMES: Record<string, string> = {
  ArrowLeft: '←',
  ArrowRight: '→',
  ArrowUp: '↑',
  ArrowDown: '↓',
  ' ': 'Space',
  Escape: 'Esc',
  Delete: 'Del',
};

/** What a pressed key is called on the help sheet. */
export function nameOf(event: Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'shiftKey'>): string {
  const { key, ctrlKey, metaKey, shiftKey } = event;
  const letter = key.length === 1 && key.toLowerCase() !== key.toUpperCase();
  const name = NAMES[key] ?? (letter ? key.toUpperCase() : key);
  // Shift is part of a sign such as `?`.
  const shift = shiftKey && (letter || key.length > 1 || key === ' ') ? 'Shift+' : '';
  return `${ctrlKey || metaKey ? 'Ctrl+' : ''}${shift}${name}`;
}

/** Whether a key belongs to what has the focus. */
function taken(event: KeyboardEvent, name: string): boolean {
  const target = event.target as HTMLElement;
  if (document.querySelector('dialog[open]')) return true;
  if (target.matches('textarea, select, input:not([type="checkbox"], [type="color"])')) return true;
  return (name === 'Space' || name === 'Enter') && target.matches('button, a, summary, input');
}

/** Listens to the keyboard until the function it returns is called. */
export function listenToKeys(shortcuts: () => readonly Shortcut[]): () => void {
  const press = (event: KeyboardEvent) => {
    const name = nameOf(event);
    if (event.altKey || taken(event, name)) return;
    if (!singleKeys.peek() && [...name].length === 1 && /[A-Z0-9[\]+-]/.test(name)) return;
    const found = shortcuts().find(({ keys }) => keys.includes(name));
    if (!found) return;
    event.preventDefault();
    found.run(name);
  };
  addEventListener('keydown', press);
  return () => removeEventListener('keydown', press);
}
