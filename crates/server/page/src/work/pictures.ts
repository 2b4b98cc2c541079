// What the pictures of masks are known by.

import type { FrameEntry } from '../api/types.ts';
import type { Colour } from '../masks/overlay.ts';
import { type Entries, versionOf } from './entries.ts';

/** A picture is of a mask as it was at a time, in a colour. */
export const keyOf = (masklet: number, entry: FrameEntry, colour: Colour): string =>
  [masklet, entry.frame, versionOf(entry), colour.join()].join(':');

/**
 * Whether a picture is of the frame that is shown or the next one, and of a mask as it is now. All of
 * those are needed together: one must not push out another.
 */
export function isNeeded(key: string, shown: number, entries: Entries): boolean {
  const [masklet, frame, blob, line] = key.split(':');
  const at = Number(frame);
  if (at !== shown && at !== shown + 1) return false;
  const entry = entries.get(Number(masklet), at);
  return entry !== undefined && versionOf(entry) === `${blob}:${line}`;
}
