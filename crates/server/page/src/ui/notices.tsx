// What the user is told, read out by screen readers: at the lower right, or in the panel beside the
// stage, where it covers nothing.

import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useLayoutEffect } from 'preact/hooks';

import { dismiss, notices, report } from '../state/notices.ts';
import { Icon } from './icons.tsx';

/** Panels that show it. */
const panels = signal(0);

function List() {
  return (
    <div class="notices" role="status" aria-live="polite">
      {notices.value.map(({ id, kind, text, offer }) => (
        <div key={id} class={`notice ${kind}`}>
          <p>{text}</p>
          {offer && (
            <button
              onClick={() => {
                dismiss(id);
                offer.take().catch(report);
              }}
            >
              {offer.name}
            </button>
          )}
          <button class="plain" aria-label="Dismiss" onClick={() => dismiss(id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}

export function Notices() {
  return panels.value === 0 ? <List /> : null;
}

/** The column beside the stage. */
export function Panel({ children }: { children: ComponentChildren }) {
  useLayoutEffect(() => {
    panels.value++;
    return () => {
      panels.value--;
    };
  }, []);
  return (
    <aside class="panel">
      {children}
      <List />
    </aside>
  );
}
