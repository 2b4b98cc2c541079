// The help sheet: all shortcuts of a view.

import type { ComponentChildren } from 'preact';

import { Dialog } from './dialog.tsx';
import { type Shortcut, setSingleKeys, singleKeys } from './keys.ts';

interface Props {
  shortcuts: readonly Shortcut[];
  close: () => void;
  children?: ComponentChildren;
}

export function Help({ shortcuts, close, children }: Props) {
  return (
    <Dialog title="Keyboard and mouse" close={close}>
      {children}
      <div class="keys">
        {shortcuts.map(({ keys, what, shown }) => (
          <div key={what}>
            <span>{what}</span>
            <span>
              {(shown ? [shown] : keys).map((key, index) => (
                <>
                  {index > 0 && ' '}
                  <kbd>{key}</kbd>
                </>
              ))}
            </span>
          </div>
        ))}
      </div>
      <label class="inline">
        <input
          type="checkbox"
          checked={singleKeys.value}
          onChange={(event) => setSingleKeys(event.currentTarget.checked)}
        />
        Shortcuts of a single letter or digit
      </label>
    </Dialog>
  );
}
