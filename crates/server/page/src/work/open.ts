// Opens a task for a view, and closes it when the view goes away.

import { type Signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';

import { Work } from './work.ts';

export type Opened = { work: Work } | { error: string } | null;

/** Opens a task; claims it if it is free and may be claimed. */
export function useWork(task: number): Signal<Opened> {
  const opened = useSignal<Opened>(null);
  useEffect(() => {
    let gone = false;
    let work: Work | undefined;
    opened.value = null;
    Work.open(task).then(
      async (found) => {
        work = found;
        if (gone) return found.close();
        const { lease, state } = found.task.peek();
        if (!lease && state !== 'done') await found.claim();
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
