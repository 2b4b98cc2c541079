// What is known of each object on each frame.

import { signal } from '@preact/signals';

import type { FrameEntry, MaskletFrames } from '../api/types.ts';

const NONE: ReadonlyMap<number, FrameEntry> = new Map();

export class Entries {
  /** Rises with every change. */
  readonly changed = signal(0);
  readonly #of = new Map<number, Map<number, FrameEntry>>();

  get(masklet: number, frame: number): FrameEntry | undefined {
    return this.#of.get(masklet)?.get(frame);
  }

  /** An object's entries by frame. */
  of(masklet: number): ReadonlyMap<number, FrameEntry> {
    return this.#of.get(masklet) ?? NONE;
  }

  masklets(): number[] {
    return [...this.#of.keys()];
  }

  put(masklet: number, entry: FrameEntry): void {
    let frames = this.#of.get(masklet);
    if (!frames) this.#of.set(masklet, (frames = new Map()));
    frames.set(entry.frame, entry);
    this.changed.value++;
  }

  replace(all: readonly MaskletFrames[]): void {
    this.#of.clear();
    for (const { masklet, frames } of all) {
      this.#of.set(masklet, new Map(frames.map((entry) => [entry.frame, entry])));
    }
    this.changed.value++;
  }

  remove(masklet: number, frames: readonly number[]): void {
    frames.forEach((frame) => this.#of.get(masklet)?.delete(frame));
    this.changed.value++;
  }
}

/** What tells a mask from the one that was there before. */
export const versionOf = (entry: FrameEntry): string => `${entry.mask.blob}:${entry.mask.line}`;
