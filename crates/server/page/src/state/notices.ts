// What the user is told.

import { signal } from '@preact/signals';

interface Notice {
  id: number;
  kind: 'info' | 'bad';
  text: string;
  /** What can be done about it. */
  offer: Offer | undefined;
}

interface Offer {
  name: string;
  take: () => Promise<void>;
}

export const notices = signal<readonly Notice[]>([]);

/** How long good news stay; bad ones stay until they are closed. */
const STAY = 6000;
const STAY_WITH_OFFER = 15_000;
const MOST = 4;
let last = 0;

export function dismiss(id: number): void {
  notices.value = notices.value.filter((notice) => notice.id !== id);
}

export function tell(text: string, kind: Notice['kind'] = 'info', offer?: Offer): void {
  const id = ++last;
  const others = notices.value.filter((notice) => notice.text !== text);
  notices.value = [...others, { id, kind, text, offer }].slice(-MOST);
  if (kind === 'info') setTimeout(() => dismiss(id), offer ? STAY_WITH_OFFER : STAY);
}

/** Tells what went wrong. */
export function report(error: unknown): void {
  tell(error instanceof Error ? error.message : String(error), 'bad');
}
