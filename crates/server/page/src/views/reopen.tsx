// Sends masklets that were verified back to annotation.

import { useSignal } from '@preact/signals';

import { tasks } from '../api/calls.ts';
import type { Task } from '../api/types.ts';
import { report, tell } from '../state/notices.ts';
import { Dialog } from '../ui/dialog.tsx';

export function Reopen({ task, close }: { task: Task; close: () => void }) {
  const chosen = useSignal<ReadonlySet<number>>(new Set(task.masklets.map(({ id }) => id)));
  const remark = useSignal('');
  const toggle = (id: number) => {
    const next = new Set(chosen.peek());
    if (!next.delete(id)) next.add(id);
    chosen.value = next;
  };
  const send = async (event: Event) => {
    event.preventDefault();
    try {
      await tasks.reopen(task.id, task.revision, [...chosen.peek()], remark.peek().trim());
      tell(`Task ${task.id} is to be annotated again.`);
      close();
    } catch (error) {
      report(error);
    }
  };
  return (
    <Dialog title={`Reopen task ${task.id}`} close={close}>
      <form onSubmit={(event) => void send(event)}>
        {task.masklets.map(({ id, name, state }) => (
          <label key={id} class="inline">
            <input type="checkbox" checked={chosen.value.has(id)} onChange={() => toggle(id)} />
            {name} <span class="quiet">{state}</span>
          </label>
        ))}
        <label>
          Remark
          <textarea rows={2} value={remark.value} onInput={(event) => (remark.value = event.currentTarget.value)} />
        </label>
        <div class="row">
          <button class="primary" type="submit" disabled={chosen.value.size === 0}>
            Send back to annotation
          </button>
          <button type="button" onClick={close}>
            Cancel
          </button>
        </div>
      </form>
    </Dialog>
  );
}
