// What the user is told, at the lower right; read out by screen readers.

import { dismiss, notices, report } from '../state/notices.ts';
import { Icon } from './icons.tsx';

export function Notices() {
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
