// What a view shows is loaded when it opens, and again when something of it has changed.

import { type Signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';

import { listen, onReturn } from '../api/live.ts';
import type { Message } from '../api/types.ts';
import { report } from './notices.ts';

interface Options {
  /** What it is loaded for: it is loaded again when that is something else. */
  of?: unknown[];
  /** Changes that come within so many milliseconds are loaded once. */
  together?: number;
}

interface Loaded<T> {
  value: Signal<T | undefined>;
  reload: () => Promise<void>;
}

/** Loads by `load`, and again after messages that `concerns` says are about it. */
export function useLoaded<T>(
  load: () => Promise<T>,
  concerns: (message: Message) => boolean,
  { of = [], together = 200 }: Options = {},
): Loaded<T> {
  const value = useSignal<T | undefined>(undefined);
  const reload = async () => {
    try {
      value.value = await load();
    } catch (error) {
      report(error);
    }
  };
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const soon = () => {
      clearTimeout(timer);
      timer = setTimeout(() => void reload(), together);
    };
    void reload();
    const ends = [listen((message) => (concerns(message) || message.type === 'lagging') && soon()), onReturn(soon)];
    return () => {
      clearTimeout(timer);
      ends.forEach((end) => end());
    };
  }, of);
  return { value, reload };
}
