// What is to be repaired: an unsatisfactory masklet goes back with a remark.

import { useSignal } from '@preact/signals';

import { Dialog } from '../ui/dialog.tsx';

interface Props {
  name: string;
  close: () => void;
  say: (remark: string) => void;
}

export function Remark({ name, close, say }: Props) {
  const text = useSignal('');
  const send = (event: Event) => {
    event.preventDefault();
    if (!text.peek().trim()) return;
    close();
    say(text.peek().trim());
  };
  return (
    <Dialog title={`Unsatisfactory: ${name}`} close={close}>
      <form onSubmit={send}>
        <label>
          What is to be repaired?
          <textarea
            rows={3}
            required
            value={text.value}
            autofocus
            onInput={(event) => (text.value = event.currentTarget.value)}
            onKeyDown={(event) => event.key === 'Enter' && !event.shiftKey && send(event)}
          />
        </label>
        <div class="row">
          <button class="primary" type="submit">
            Send back <kbd>Enter</kbd>
          </button>
          <button type="button" onClick={close}>
            Cancel
          </button>
        </div>
      </form>
    </Dialog>
  );
}
