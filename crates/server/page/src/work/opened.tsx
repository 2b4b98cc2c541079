// A task's view: opens the task and closes it when the view goes away; says why it is not there or may
// not be changed.

import type { ComponentChildren } from 'preact';
import { type Signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';

import { me } from '../state/session.ts';
import { Work } from './work.ts';

/** What a task is opened for. */
type Purpose = 'annotate' | 'verify';

type Found = { work: Work } | { error: string } | null;

/** Whether who looks at a task may claim it, to annotate or to verify it. */
function mayClaim(work: Work, to: Purpose): boolean {
  const other = to === 'annotate' ? 'verifier' : 'annotator';
  return work.task.value.state === to && me.value?.role !== other;
}

/** Opens a task to annotate or verify it; claims it if it is free and may be claimed. */
function useWork(task: number, to: Purpose): Signal<Found> {
  const opened = useSignal<Found>(null);
  useEffect(() => {
    let gone = false;
    let work: Work | undefined;
    opened.value = null;
    Work.open(task).then(
      async (found) => {
        work = found;
        if (gone) return found.close();
        if (!found.task.peek().lease && mayClaim(found, to)) await found.claim();
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

interface Props {
  task: number;
  to: Purpose;
  children: (work: Work) => ComponentChildren;
}

/** Shows a task once it is open. */
export function Opened({ task, to, children }: Props) {
  const opened = useWork(task, to).value;
  if (!opened)
    return (
      <p class="empty" role="status">
        Opening task {task} …
      </p>
    );
  if ('error' in opened)
    return (
      <p class="empty" role="alert">
        {opened.error}
      </p>
    );
  return <>{children(opened.work)}</>;
}

/** Says why who looks at a task cannot change it, and lets them claim it where they may. */
export function NotHeld({ work, to }: { work: Work; to: Purpose }) {
  const { lease, state } = work.task.value;
  if (lease && lease.user !== me.value?.id)
    return (
      <div class="banner" role="status">
        <p>{lease.user_name} holds this task: it can be looked at.</p>
      </div>
    );
  const why =
    state === to
      ? 'You do not hold this task: it can be looked at.'
      : `This task is not to be ${to === 'annotate' ? 'annotated' : 'verified'} now.`;
  return (
    <div class="banner" role="status">
      <p>{why}</p>
      {mayClaim(work, to) && <button onClick={() => void work.claim()}>Claim it</button>}
    </div>
  );
}
