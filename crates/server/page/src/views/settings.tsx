// Settings and people, for the owner; one's own token and logging out for everybody.

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';

import { type UserAt, settings as calls, users as userCalls } from '../api/calls.ts';
import type { Role, Settings } from '../api/types.ts';
import { useLoaded } from '../state/loaded.ts';
import { report, tell } from '../state/notices.ts';
import { logOut, me, owns, session, settings } from '../state/session.ts';
import { Dialog } from '../ui/dialog.tsx';
import { PhaseChoice } from '../ui/phases.tsx';

const ROLES: readonly Role[] = ['annotator', 'verifier', 'owner'];

function Project() {
  const now = settings.value!;
  const changed = useSignal<Partial<Settings>>({});
  const value = { ...now.settings, ...changed.value };
  const set = (part: Partial<Settings>) => (changed.value = { ...changed.peek(), ...part });
  const save = async (event: Event) => {
    event.preventDefault();
    try {
      settings.value = await calls.set(now.revision, changed.peek());
      changed.value = {};
      tell('The settings were saved.');
    } catch (error) {
      report(error);
      settings.value = await calls.get().catch(() => now);
    }
  };
  const number = (
    label: string,
    name: 'annotation_rate' | 'lease_seconds' | 'held_out_percent' | 'max_video_frames',
  ) => (
    <label>
      {label}
      <input
        type="number"
        min={0}
        required
        value={value[name]}
        onInput={(event) => set({ [name]: event.currentTarget.valueAsNumber })}
      />
    </label>
  );
  return (
    <section class="card" aria-label="Project">
      <form class="stack" onSubmit={(event) => void save(event)}>
        <h2>Project</h2>
        <label>
          Name
          <input required value={value.name} onInput={(event) => set({ name: event.currentTarget.value })} />
        </label>
        <PhaseChoice label="Phase of new tasks" value={value.phase} choose={(phase) => set({ phase })} />
        {number('Frames a second to annotate in phase 1', 'annotation_rate')}
        {number('Seconds that a task is held without being worked on', 'lease_seconds')}
        {number('Percent of videos held out from training', 'held_out_percent')}
        {number('Most frames of a video', 'max_video_frames')}
        <label class="inline">
          <input
            type="checkbox"
            checked={value.verify_own_work}
            onChange={(event) => set({ verify_own_work: event.currentTarget.checked })}
          />
          People may verify what they annotated
        </label>
        <div class="row">
          <button class="primary" type="submit" disabled={Object.keys(changed.value).length === 0}>
            Save
          </button>
        </div>
      </form>
    </section>
  );
}

function People({ show }: { show: (name: string, token: string) => void }) {
  const { value, reload } = useLoaded(userCalls.list, () => false);
  const name = useSignal('');
  const role = useSignal<Role>('annotator');
  const act = async (action: () => Promise<unknown>) => {
    try {
      await action();
    } catch (error) {
      report(error);
    }
    await reload();
  };
  const token = (user: UserAt) => act(async () => show(user.name, (await userCalls.token(user.id)).token));
  const add = (event: Event) => {
    event.preventDefault();
    void act(async () => {
      await userCalls.add(name.peek().trim(), role.peek());
      name.value = '';
    });
  };
  const roles = (value: Role, change: (role: Role) => void, label: string) => (
    <select value={value} aria-label={label} onChange={(event) => change(event.currentTarget.value as Role)}>
      {ROLES.map((one) => (
        <option key={one} value={one}>
          {one}
        </option>
      ))}
    </select>
  );
  return (
    <section class="card stack" aria-label="People">
      <h2>People</h2>
      <table>
        <thead>
          <tr>
            <th>Name</th>
            <th>Role</th>
            <th>Active</th>
            <th>Token</th>
          </tr>
        </thead>
        <tbody>
          {value.value?.map((user) => (
            <tr key={user.id}>
              <td>{user.name}</td>
              <td>
                {roles(
                  user.role,
                  (next) => void act(() => userCalls.edit(user.id, user.revision, { role: next })),
                  `Role of ${user.name}`,
                )}
              </td>
              <td>
                <input
                  type="checkbox"
                  checked={user.active}
                  aria-label={`${user.name} is active`}
                  onChange={(event) =>
                    void act(() => userCalls.edit(user.id, user.revision, { active: event.currentTarget.checked }))
                  }
                />
              </td>
              <td>
                <button aria-label={`New token of ${user.name}`} onClick={() => void token(user)}>
                  New token
                </button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <form class="row" onSubmit={add}>
        <input
          required
          placeholder="Name"
          aria-label="Name"
          value={name.value}
          onInput={(event) => (name.value = event.currentTarget.value)}
        />
        {roles(role.value, (next) => (role.value = next), 'Role')}
        <button type="submit">Add</button>
      </form>
    </section>
  );
}

export function SettingsView() {
  const shown = useSignal<{ name: string; token: string } | null>(null);
  const now = session.value!;
  // Others may have changed them since this page was opened.
  useEffect(() => {
    calls.get().then((found) => (settings.value = found), report);
  }, []);
  const own = async () => {
    try {
      shown.value = { name: now.user.name, token: (await userCalls.token(now.user.id)).token };
    } catch (error) {
      report(error);
    }
  };
  return (
    <div class="page">
      <h1>Settings</h1>
      <div class="halves">
        {owns.value && settings.value && <Project />}
        <div class="stack">
          {owns.value && <People show={(name, token) => (shown.value = { name, token })} />}
          <section class="card stack" aria-label="You">
            <h2>
              {me.value?.name} <span class="tag">{me.value?.role}</span>
            </h2>
            <p class="quiet">
              masklet {now.version} · model {now.model.name}
            </p>
            <div class="row">
              {!owns.value && <button onClick={() => void own()}>New token</button>}
              <button onClick={() => void logOut().catch(report)}>Log out</button>
            </div>
          </section>
        </div>
      </div>
      {shown.value && (
        <Dialog title={`Token of ${shown.value.name}`} close={() => (shown.value = null)}>
          <p>It is shown once, and makes older ones void. {shown.value.name} logs in with it, or at this address:</p>
          <input
            readOnly
            aria-label="Address with the token"
            value={`${location.origin}/#token=${shown.value.token}`}
            onFocus={(event) => event.currentTarget.select()}
          />
        </Dialog>
      )}
    </div>
  );
}
