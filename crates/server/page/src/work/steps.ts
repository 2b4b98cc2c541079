// What one undo or redo takes back: the newest action, or all that a propagation saved one after the
// other, which are several events. It is read from the history, so that what came between is known.

import type { Event } from '../api/types.ts';

export type Back = 'undo' | 'redo';

/** Events in the order in which they are taken back, none if there is nothing left. */
export type Step = readonly number[];

/**
 * The next step, by a task's events, the newest first. Nothing if it depends on events that are older than these, of which there are more unless they are
 * `all`.
 */
export function nextStep(events: readonly Event[], all: boolean, way: Back): Step | undefined {
  const known = new Map(events.map((event) => [event.id, { ...event }]));
  const reverted = (event: Event) => (event.reverts === null ? undefined : known.get(event.reverts));
  const actionOf = (event: Event): Event | undefined => {
    let at: Event | undefined = event;
    while (at && at.way !== 'do') at = reverted(at);
    return at;
  };
  const step: number[] = [];
  let group: unknown;
  // What a step changes is older than it: the events are gone through once.
  for (const event of known.values()) {
    // What was done after an undo cannot be redone over.
    if (way === 'redo' && event.way === 'do') return step;
    if (!event.stands || (event.way === 'undo') !== (way === 'redo')) continue;
    const action = actionOf(event);
    if (!action) return undefined;
    const its = action.action.propagation;
    if (step.length > 0 && its !== group) return step;
    step.push(event.id);
    if (its === undefined) return step;
    group = its;
    takeBack(event, reverted);
  }
  return all ? step : undefined;
}

/** Notes that an event is taken back: what it had taken back stands again, and so on. */
function takeBack(event: Event, reverted: (event: Event) => Event | undefined): void {
  let stands = false;
  for (let at: Event | undefined = event; at; at = reverted(at)) {
    at.stands = stands;
    stands = !stands;
  }
}
