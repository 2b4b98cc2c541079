// A change is refused where its task has changed since. If all that has come is what was tracked for
// the same person, it takes nothing from anybody: the change is made again on top of it.

import { Refused } from '../api/http.ts';
import type { Event, Failure } from '../api/types.ts';

/** How often a change is made again. Each time, a propagation has saved more frames meanwhile. */
export const TRIES = 20;

/** What a change is based on. */
export interface Base {
  revision: () => number;
  /** Whether it may be made on top of what was tracked since. */
  follows: boolean;
  /** Takes what came since. */
  refresh: (failure: Failure) => Promise<void>;
  /** Who makes the change. */
  user: { id: number; name: string } | null;
}

/** Whether all of this was tracked for somebody, and nothing of it done by hand. */
export function onlyTracked(events: readonly Event[], user: number | undefined): boolean {
  return events.every(
    ({ user: by, way, action }) => by === user && way === 'do' && action.kind === 'annotate' && action.edited === 0,
  );
}

/** Makes a change on top of what is tracked meanwhile. It fails if the task was changed otherwise. */
export async function follow<T>(send: (seen: number) => Promise<T>, base: Base): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await send(base.revision());
    } catch (error) {
      if (!isStale(error)) throw error;
      const since = error.failure.since ?? [];
      // Where so much has come that it is not all told, who knows what is among it.
      const all = since.length > 0 && since.length === error.failure.since_count;
      const tracked = all && onlyTracked(since, base.user?.id);
      if (!base.follows || !tracked || tries === TRIES) throw conflict(error, since, base.user?.name);
      await base.refresh(error.failure);
    }
  }
}

/** Whether the server refused a change because it is not based on the newest state. */
function isStale(error: unknown): error is Refused {
  return error instanceof Refused && error.failure.code === 'stale';
}

/** What the user is told of a change that was not made. */
function conflict({ repeated }: Refused, since: readonly Event[], user: string | undefined): Error {
  const others = [...new Set(since.map((event) => event.user_name))].filter((name) => name !== user);
  if (repeated && others.length === 0) {
    return new Error(
      'The connection was lost while this was saved. The newest state is shown: repeat what is not there.',
    );
  }
  const who = others.length ? others.join(', ') : 'another window of yours';
  return new Error(
    `This was not saved, because the task was changed by ${who}. The newest state is shown: repeat it if it still fits.`,
  );
}
