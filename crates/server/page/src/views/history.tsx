// The history: every change, and the way back.

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';

import { history as calls, settings as settingsCalls } from '../api/calls.ts';
import type { Event } from '../api/types.ts';
import { useLoaded } from '../state/loaded.ts';
import { report, tell } from '../state/notices.ts';
import { address } from '../state/route.ts';
import { owns, settings } from '../state/session.ts';
import { time } from '../ui/format.ts';
import { describe } from './actions.ts';

export function History({ scope }: { scope: string | undefined }) {
  const { value, reload } = useLoaded(
    () => calls.list(scope),
    (message) => message.type === 'task' || message.type === 'videos',
    { of: [scope] },
  );
  const older = useSignal<readonly Event[]>([]);
  useEffect(() => {
    older.value = [];
  }, [scope]);
  const events = [...(value.value ?? []), ...older.value];

  const more = async () => {
    try {
      older.value = [...older.peek(), ...(await calls.list(scope, events.at(-1)?.id))];
    } catch (error) {
      report(error);
    }
  };
  const revert = async (event: Event) => {
    try {
      const [newest] = await calls.list(event.scope);
      await calls.revert(event.id, newest!.id);
      tell(`Event ${event.id} was reverted.`);
      if (event.scope === 'project') settings.value = await settingsCalls.get();
      await reload();
    } catch (error) {
      report(error);
    }
  };
  return (
    <div class="page">
      <div class="row spread">
        <h1>History{scope && ` of ${scope}`}</h1>
        {scope && <a href={address({ view: 'history' })}>All of the project</a>}
      </div>
      <section class="card" aria-label="Events">
        <table>
          <thead>
            <tr>
              <th class="number">Event</th>
              <th>When</th>
              <th>Who</th>
              <th>Of</th>
              <th>What</th>
              <th>Back</th>
            </tr>
          </thead>
          <tbody>
            {events.map((event) => (
              <tr key={event.id}>
                <td class="number">{event.id}</td>
                <td class="whole">{time(event.at)}</td>
                <td>{event.user_name}</td>
                <td class="whole">
                  <a href={address({ view: 'history', scope: event.scope })}>{event.scope}</a>
                </td>
                <td>
                  {describe(event)} {!event.stands && <span class="tag warn">taken back</span>}
                </td>
                <td>
                  {owns.value && event.stands && event.action.kind !== 'create-project' && (
                    <button aria-label={`Revert event ${event.id}`} onClick={() => void revert(event)}>
                      Revert
                    </button>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
        {events.length > 0 && events.length % 100 === 0 && <button onClick={() => void more()}>Older ones</button>}
      </section>
    </div>
  );
}
