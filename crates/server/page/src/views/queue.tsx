// The queue: what is to be annotated and verified, and who is at it.

import { useSignal } from '@preact/signals';

import { tasks as calls } from '../api/calls.ts';
import type { Masklet, Task, TaskState } from '../api/types.ts';
import { report, tell } from '../state/notices.ts';
import { address, go } from '../state/route.ts';
import { me, owns } from '../state/session.ts';
import { useLoaded } from '../state/loaded.ts';
import { Reopen } from './reopen.tsx';

const TITLES: Record<TaskState, string> = { annotate: 'To be annotated', verify: 'To be verified', done: 'Done' };

async function takeNext(state: 'annotate' | 'verify'): Promise<void> {
  try {
    const task = await calls.next(state);
    if (task) go({ view: state, task: task.id });
    else tell(state === 'annotate' ? 'There is no free task to annotate.' : 'There is no free task to verify.');
  } catch (error) {
    report(error);
  }
}

function counts(masklets: readonly Masklet[]): string {
  const repaired = masklets.filter((one) => one.state === 'unsatisfactory').length;
  const all = `${masklets.length} ${masklets.length === 1 ? 'object' : 'objects'}`;
  return repaired > 0 ? `${all}, ${repaired} to be repaired` : all;
}

function Row({ task, reopen }: { task: Task; reopen: () => void }) {
  const { id, state, lease, phase, video_name: video, masklets } = task;
  const mine = lease?.user === me.value?.id;
  const view = state === 'verify' ? 'verify' : 'annotate';
  const open =
    state === 'done' ? 'Look at' : mine ? 'Go on' : lease ? 'Look at' : state === 'verify' ? 'Verify' : 'Annotate';
  const remark = masklets.find((one) => one.state === 'unsatisfactory' && one.remark)?.remark;
  return (
    <tr>
      <td class="number">{id}</td>
      <td>
        {video}
        {remark && <div class="quiet">“{remark}”</div>}
      </td>
      <td>{phase}</td>
      <td>{counts(masklets)}</td>
      <td>
        {lease ? (
          mine ? (
            <span class="tag good">you</span>
          ) : (
            <span class="tag warn" title={lease.user_name}>
              {lease.user_name}
            </span>
          )
        ) : (
          <span class="quiet">free</span>
        )}
      </td>
      <td>
        <div class="row">
          <a class="button" href={address({ view, task: id })} aria-label={`${open}: task ${id}, ${video}`}>
            {open}
          </a>
          <a href={address({ view: 'history', scope: `task ${id}` })} aria-label={`History of task ${id}`}>
            History
          </a>
          {state === 'done' && owns.value && <button onClick={reopen}>Reopen …</button>}
        </div>
      </td>
    </tr>
  );
}

export function Queue() {
  const { value: tasks } = useLoaded(
    () => calls.list(),
    (message) => message.type === 'task' || message.type === 'videos',
  );
  const reopening = useSignal<Task | null>(null);
  const found = tasks.value;
  const role = me.value?.role;
  return (
    <div class="page">
      <div class="row spread">
        <h1>Queue</h1>
        <div class="row">
          {role !== 'verifier' && (
            <button class="primary" onClick={() => void takeNext('annotate')}>
              Annotate the next task
            </button>
          )}
          {role !== 'annotator' && (
            <button class="primary" onClick={() => void takeNext('verify')}>
              Verify the next task
            </button>
          )}
        </div>
      </div>
      {found?.length === 0 && (
        <p class="empty">
          There are no tasks yet. <a href={address({ view: 'videos' })}>Videos</a> are imported, and tasks made of them,
          there.
        </p>
      )}
      {(['annotate', 'verify', 'done'] as const).map((state) => {
        const those = found?.filter((task) => task.state === state) ?? [];
        if (those.length === 0) return null;
        return (
          <section key={state} class="card" aria-label={TITLES[state]}>
            <h2>
              {TITLES[state]} <span class="quiet">({those.length})</span>
            </h2>
            <table class="tasks">
              <thead>
                <tr>
                  <th class="number">Task</th>
                  <th>Video</th>
                  <th>Phase</th>
                  <th>Objects</th>
                  <th>Held by</th>
                  <th>Open</th>
                </tr>
              </thead>
              <tbody>
                {those.map((task) => (
                  <Row key={task.id} task={task} reopen={() => (reopening.value = task)} />
                ))}
              </tbody>
            </table>
          </section>
        );
      })}
      {reopening.value && <Reopen task={reopening.value} close={() => (reopening.value = null)} />}
    </div>
  );
}
