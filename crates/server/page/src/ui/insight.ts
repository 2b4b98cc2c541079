// What is chosen by the keyboard, or elsewhere, is scrolled into sight in lists of it.

import type { RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

/** A reference to what is scrolled into sight whenever it becomes chosen. */
export function useInSight<T extends Element>(chosen: boolean): RefObject<T | null> {
  const element = useRef<T>(null);
  useEffect(() => {
    if (chosen) element.current?.scrollIntoView({ block: 'nearest' });
  }, [chosen]);
  return element;
}
