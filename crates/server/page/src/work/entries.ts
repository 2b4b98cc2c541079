// What is known of each object on each frame.

import { batch, signal } from '@preact/signals';

import type { FrameEntry, MaskletFrames } from '../api/types.ts';

/** An object's entries. What is counted of them is kept, since a video can have very many frames. */
export class Track {
  /** Rises with every change of them. */
  readonly changed = signal(0);
  readonly #frames = new Map<number, FrameEntry>();
  #visible = 0;
  #touched = 0;

  get frames(): ReadonlyMap<number, FrameEntry> {
    return this.#frames;
  }

  /** On how many frames it is visible. */
  get visible(): number {
    return this.#visible;
  }

  /** How many frames somebody prompted or drew on. */
  get touched(): number {
    return this.#touched;
  }

  put(entry: FrameEntry): void {
    this.#count(this.#frames.get(entry.frame), -1);
    this.#frames.set(entry.frame, entry);
    this.#count(entry, 1);
    this.changed.value++;
  }

  remove(frames: readonly number[]): void {
    for (const frame of frames) {
      this.#count(this.#frames.get(frame), -1);
      this.#frames.delete(frame);
    }
    this.changed.value++;
  }

  replace(entries: readonly FrameEntry[]): void {
    batch(() => {
      this.remove([...this.#frames.keys()]);
      entries.forEach((entry) => this.put(entry));
    });
  }

  #count(entry: FrameEntry | undefined, by: 1 | -1): void {
    if (!entry) return;
    if (entry.area > 0) this.#visible += by;
    if (isTouched(entry)) this.#touched += by;
  }
}

export class Entries {
  /** Rises with every change. */
  readonly changed = signal(0);
  readonly #tracks = new Map<number, Track>();

  get(masklet: number, frame: number): FrameEntry | undefined {
    return this.#tracks.get(masklet)?.frames.get(frame);
  }

  /** An object's entries: the same for as long as the task is open. */
  of(masklet: number): Track {
    let track = this.#tracks.get(masklet);
    if (!track) this.#tracks.set(masklet, (track = new Track()));
    return track;
  }

  masklets(): number[] {
    return [...this.#tracks.keys()];
  }

  put(masklet: number, entry: FrameEntry): void {
    batch(() => {
      this.of(masklet).put(entry);
      this.changed.value++;
    });
  }

  replace(all: readonly MaskletFrames[]): void {
    const frames = new Map(all.map((one) => [one.masklet, one.frames]));
    batch(() => {
      for (const masklet of new Set([...this.#tracks.keys(), ...frames.keys()])) {
        this.of(masklet).replace(frames.get(masklet) ?? []);
      }
      this.changed.value++;
    });
  }

  remove(masklet: number, frames: readonly number[]): void {
    batch(() => {
      this.of(masklet).remove(frames);
      this.changed.value++;
    });
  }
}

/** What tells a mask from the one that was there before. */
export const versionOf = (entry: FrameEntry): string => `${entry.mask.blob}:${entry.mask.line}`;

/** Whether somebody prompted or drew on a frame. */
export const isTouched = (entry: FrameEntry): boolean => entry.prompted || entry.edited;

/** The nearest frame before or after one of which something holds. */
export function nearest(
  tracks: Iterable<Track>,
  frame: number,
  direction: 1 | -1,
  holds: (entry: FrameEntry) => boolean,
): number | undefined {
  let found: number | undefined;
  for (const track of tracks) {
    for (const entry of track.frames.values()) {
      const nearer = found === undefined || (found - entry.frame) * direction > 0;
      if ((entry.frame - frame) * direction > 0 && nearer && holds(entry)) found = entry.frame;
    }
  }
  return found;
}
