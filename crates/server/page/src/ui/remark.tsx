// A dialog that asks for a remark to whoever annotates next.

import type { ComponentChildren } from 'preact';
import { useSignal } from '@preact/signals';

import { Dialog } from './dialog.tsx';

interface Props {
  title: string;
  /** What the remark is to say. */
  label: string;
  /** What sending is called. */
  action: string;
  /** Whether nothing is sent without a remark. */
  required?: boolean;
  /** Whether it can be sent, but for the remark. */
  able?: boolean;
  close: () => void;
  send: (remark: string) => void;
  /** What else is asked, before the remark. */
  children?: ComponentChildren;
}

export function RemarkDialog({ title, label, action, required, able = true, close, send, children }: Props) {
  const text = useSignal('');
  const submit = (event: Event) => {
    event.preventDefault();
    const remark = text.peek().trim();
    if (able && (remark || !required)) send(remark);
  };
  return (
    <Dialog title={title} close={close}>
      <form onSubmit={submit}>
        {children}
        <label>
          {label}
          <textarea
            rows={3}
            required={required ?? false}
            value={text.value}
            autofocus
            onInput={(event) => (text.value = event.currentTarget.value)}
            onKeyDown={(event) => event.key === 'Enter' && !event.shiftKey && submit(event)}
          />
        </label>
        <div class="row">
          <button class="primary" type="submit" disabled={!able}>
            {action} <kbd>Enter</kbd>
          </button>
          <button type="button" onClick={close}>
            Cancel
          </button>
        </div>
      </form>
    </Dialog>
  );
}
