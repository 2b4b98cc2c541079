// Who works here, and on which project.

import { computed, signal } from '@preact/signals';

import { session as calls, settings as settingsCalls } from '../api/calls.ts';
import { loggedIn } from '../api/http.ts';
import { connect, disconnect } from '../api/live.ts';
import type { Session, Settings } from '../api/types.ts';

export const session = signal<Session | null>(null);
export const settings = signal<{ settings: Settings; revision: number } | null>(null);

export const me = computed(() => session.value?.user ?? null);
export const owns = computed(() => me.value?.role === 'owner');
export const leaseSeconds = computed(() => settings.value?.settings.lease_seconds ?? 300);

/** Takes the token out of the address, so that it is not shown, shared or kept in the history. */
function tokenOfAddress(): string | undefined {
  const token = /^#token=(.+)$/.exec(location.hash)?.[1];
  if (token) history.replaceState(null, '', `${location.pathname}#/queue`);
  return token && decodeURIComponent(token);
}

async function begin(found: Session): Promise<void> {
  session.value = found;
  loggedIn.value = true;
  settings.value = await settingsCalls.get();
  connect();
}

export async function logIn(token: string): Promise<void> {
  await begin(await calls.begin(token.trim()));
}

/** Logs in by the address's token, or goes on as who is logged in. */
export async function start(): Promise<void> {
  const token = tokenOfAddress();
  await (token ? logIn(token) : begin(await calls.get()));
}

export async function logOut(): Promise<void> {
  disconnect();
  await calls.end();
  session.value = null;
  loggedIn.value = false;
}
