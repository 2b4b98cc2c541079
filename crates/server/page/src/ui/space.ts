// The space bar: held, it lets the pointer pan; tapped, it plays.

import { type Signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';

export function useSpace(tap: () => void): Signal<boolean> {
  const held = useSignal(false);
  useEffect(() => {
    let panned = false;
    const taken = (event: KeyboardEvent) =>
      (event.target as HTMLElement).matches('button, a, input, select, textarea, summary') ||
      document.querySelector('dialog[open]') !== null;
    const down = (event: KeyboardEvent) => {
      if (event.key !== ' ' || taken(event)) return;
      event.preventDefault();
      if (!event.repeat) panned = false;
      held.value = true;
    };
    const up = (event: KeyboardEvent) => {
      if (event.key !== ' ' || !held.peek()) return;
      held.value = false;
      if (!panned) tap();
    };
    const pan = () => (panned = true);
    const blur = () => (held.value = false);
    addEventListener('keydown', down);
    addEventListener('keyup', up);
    addEventListener('pointerdown', pan);
    addEventListener('blur', blur);
    return () => {
      removeEventListener('keydown', down);
      removeEventListener('keyup', up);
      removeEventListener('pointerdown', pan);
      removeEventListener('blur', blur);
    };
  }, []);
  return held;
}
