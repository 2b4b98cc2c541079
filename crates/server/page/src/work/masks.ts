// The masks of a task: fetched in stretches of frames, tinted beside the page, kept while there is
// room. A mask is known by its version, so that one that was changed is fetched again.

import { batch, signal } from '@preact/signals';

import { masks as calls } from '../api/calls.ts';
import { report } from '../state/notices.ts';
import type { Colour } from '../masks/overlay.ts';
import { type Overlay, overlayOf } from '../masks/pool.ts';
import type { Rle } from '../masks/rle.ts';
import { type Entries, versionOf } from './entries.ts';
import { Lru } from './lru.ts';
import { isNeeded, keyOf } from './pictures.ts';

/** Frames that are fetched at once. */
const STRETCH = 32;
/** Characters of encodings, and bytes of pictures, that are kept. */
const ENCODED_ROOM = 64 << 20;
const PICTURE_ROOM = 160 << 20;

/** What each of them takes besides, about: there can be very many small ones. */
const APIECE = 512;

interface Known {
  version: string;
  rle: Rle;
}

export class Masks {
  /** Rises when masks have come. */
  readonly changed = signal(0);
  readonly #task: number;
  readonly #entries: Entries;
  readonly #last: number;
  readonly #known = new Lru<string, Known>(ENCODED_ROOM);
  readonly #pictures = new Lru<string, Overlay>(
    PICTURE_ROOM,
    (overlay) => overlay?.picture.close(),
    (key) => isNeeded(key, this.#shown, this.#entries),
  );
  readonly #fetching = new Set<number>();
  readonly #tinting = new Map<string, Promise<void>>();
  #shown = 0;

  constructor(task: number, entries: Entries, frames: number) {
    this.#task = task;
    this.#entries = entries;
    this.#last = frames - 1;
  }

  /** A mask, if it is here. */
  get(masklet: number, frame: number): Rle | undefined {
    const entry = this.#entries.get(masklet, frame);
    const known = entry && this.#known.get(`${masklet}:${frame}`);
    return known?.version === (entry && versionOf(entry)) ? known?.rle : undefined;
  }

  /** A mask, fetched if need be; nothing where there is none. */
  async fetched(masklet: number, frame: number): Promise<Rle | undefined> {
    if (this.#entries.get(masklet, frame) && !this.get(masklet, frame)) await this.#fetch(frame, frame);
    return this.get(masklet, frame);
  }

  put(masklet: number, frame: number, version: string, rle: Rle): void {
    this.#known.set(`${masklet}:${frame}`, { version, rle }, rle.counts.length + APIECE);
    this.changed.value++;
  }

  /** Fetches what is missing on the frames around one. */
  want(frame: number): void {
    this.#shown = frame;
    const near = [frame, frame + STRETCH / 2, frame - STRETCH / 2];
    for (const stretch of new Set(near.map((at) => Math.floor(at / STRETCH)))) void this.#wantStretch(stretch);
  }

  /** A mask's picture; `null` if there is nothing to see, `undefined` if it is not here yet. */
  overlay(masklet: number, frame: number, colour: Colour): Overlay | undefined {
    const entry = this.#entries.get(masklet, frame);
    if (!entry || entry.area === 0) return null;
    const key = keyOf(masklet, entry, colour);
    if (this.#pictures.has(key)) return this.#pictures.get(key);
    const rle = this.get(masklet, frame);
    if (rle && !this.#tinting.has(key)) this.#tinting.set(key, this.#tint(key, rle, colour));
    return undefined;
  }

  /** Waits until a mask that is here has its picture. */
  async shown(masklet: number, frame: number, colour: Colour): Promise<void> {
    if (this.overlay(masklet, frame, colour) === undefined) await Promise.all(this.#tinting.values());
  }

  close(): void {
    this.#pictures.clear();
    this.#known.clear();
  }

  async #wantStretch(stretch: number): Promise<void> {
    if (stretch < 0 || this.#fetching.has(stretch) || !this.#lacking(stretch)) return;
    this.#fetching.add(stretch);
    const before = this.#entries.changed.peek();
    try {
      await this.#fetch(stretch * STRETCH, Math.min(this.#last, stretch * STRETCH + STRETCH - 1));
    } catch (error) {
      report(error);
    }
    this.#fetching.delete(stretch);
    // What was changed meanwhile did not come with it.
    if (this.#entries.changed.peek() !== before) void this.#wantStretch(stretch);
  }

  async #tint(key: string, rle: Rle, colour: Colour): Promise<void> {
    try {
      const overlay = await overlayOf(rle, colour);
      this.#pictures.set(key, overlay, APIECE + (overlay ? overlay.picture.width * overlay.picture.height * 4 : 0));
      this.changed.value++;
    } catch (error) {
      report(error);
      // It is not tried again and again.
      this.#pictures.set(key, null, APIECE);
    }
    this.#tinting.delete(key);
  }

  #lacking(stretch: number): boolean {
    const frames = Array.from({ length: STRETCH }, (_, step) => stretch * STRETCH + step);
    return this.#entries.masklets().some((masklet) => frames.some((frame) => this.#lacks(masklet, frame)));
  }

  #lacks(masklet: number, frame: number): boolean {
    const entry = this.#entries.get(masklet, frame);
    return entry !== undefined && this.#known.get(`${masklet}:${frame}`)?.version !== versionOf(entry);
  }

  async #fetch(from: number, to: number): Promise<void> {
    const before = new Map<string, string>();
    for (const masklet of this.#entries.masklets()) {
      for (let frame = from; frame <= to; frame++) {
        const entry = this.#entries.get(masklet, frame);
        if (entry) before.set(`${masklet}:${frame}`, versionOf(entry));
      }
    }
    const { masks } = await calls.range(this.#task, from, to);
    batch(() => {
      for (const { masklet, frame, mask } of masks) {
        const version = before.get(`${masklet}:${frame}`);
        const entry = this.#entries.get(masklet, frame);
        // What was changed meanwhile is not what came.
        if (version && entry && versionOf(entry) === version) this.put(masklet, frame, version, mask);
      }
    });
  }
}
