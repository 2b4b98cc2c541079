// The last action on a task gives it back and leaves its view: it can be undone from where one is then.

import { history } from '../api/calls.ts';
import type { Changed } from '../api/types.ts';
import { tell } from '../state/notices.ts';
import { go } from '../state/route.ts';

/** Tells what was done at last, and offers to undo it and to go back to the task. */
export function tellParting(text: string, { task, revision }: Changed, view: 'annotate' | 'verify'): void {
  const take = async () => {
    await history.undo(`task ${task.id}`, revision);
    go({ view, task: task.id });
  };
  tell(text, 'info', { name: 'Undo', take });
}
