// Sends masklets that were verified back to annotation.

import { useSignal } from '@preact/signals';

import { tasks } from '../api/calls.ts';
import type { Task } from '../api/types.ts';
import { report, tell } from '../state/notices.ts';
import { RemarkDialog } from '../ui/remark.tsx';

export function Reopen({ task, close }: { task: Task; close: () => void }) {
  const chosen = useSignal<ReadonlySet<number>>(new Set(task.masklets.map(({ id }) => id)));
  const toggle = (id: number) => {
    const next = new Set(chosen.peek());
    if (!next.delete(id)) next.add(id);
    chosen.value = next;
  };
  const send = async (remark: string) => {
    try {
      await tasks.reopen(task.id, task.revision, [...chosen.peek()], remark);
      tell(`Task ${task.id} is to be annotated again.`);
      close();
    } catch (error) {
      report(error);
    }
  };
  return (
    <RemarkDialog
      title={`Reopen task ${task.id}`}
      label="Remark"
      action="Send back to annotation"
      able={chosen.value.size > 0}
      close={close}
      send={(remark) => void send(remark)}
    >
      {task.masklets.map(({ id, name, state }) => (
        <label key={id} class="inline">
          <input type="checkbox" checked={chosen.value.has(id)} onChange={() => toggle(id)} />
          {name} <span class="quiet">{state}</span>
        </label>
      ))}
    </RemarkDialog>
  );
}
