// Opens a task for a view, and closes it when the view goes away.

import { type Signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';

import { me } from '../state/session.ts';
import { Work } from './work.ts';

export type Opened = { work: Work } | { error: string } | null;

/** Whether who looks at a task may claim it, to annotate or to verify it. */
export function mayClaim(work: Work, state: 'annotate' | 'verify'): boolean {
  const other = state === 'annotate' ? 'verifier' : 'annotator';
  return work.task.value.state === state && me.value?.role !== other;
}

/** Opens a task to annotate or verify it; claims it if it is free and may be claimed. */
export function useWork(task: number, state: 'annotate' | 'verify'): Signal<Opened> {
  const opened = useSignal<Opened>(null);
  useEffect(() => {
    let gone = false;
    let work: Work | undefined;
    opened.value = null;
    Work.open(task).then(
      async (found) => {
        work = found;
        if (gone) return found.close();
        if (!found.task.peek().lease && mayClaim(found, state)) await found.claim();
        if (!gone) opened.value = { work: found };
      },
      (error: unknown) => {
        if (!gone) opened.value = { error: error instanceof Error ? error.message : String(error) };
      },
    );
    return () => {
      gone = true;
      work?.close();
    };
  }, [task]);
  return opened;
}
