// What the user is told.

import { signal } from '@preact/signals';

interface Notice {
  id: number;
  kind: 'info' | 'bad';
  text: string;
}

export const notices = signal<readonly Notice[]>([]);

/** How long good news stay; bad ones stay until they are closed. */
const STAY = 6000;
const MOST = 4;
let last = 0;

export function dismiss(id: number): void {
  notices.value = notices.value.filter((notice) => notice.id !== id);
}

export function tell(text: string, kind: Notice['kind'] = 'info'): void {
  const id = ++last;
  const others = notices.value.filter((notice) => notice.text !== text);
  notices.value = [...others, { id, kind, text }].slice(-MOST);
  if (kind === 'info') setTimeout(() => dismiss(id), STAY);
}

/** Tells what went wrong. */
export function report(error: unknown): void {
  tell(error instanceof Error ? error.message : String(error), 'bad');
}
