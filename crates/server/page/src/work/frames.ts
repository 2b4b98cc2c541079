// The video's frames: fetched by number, decoded beside the page, kept while there is room.
//
// They are asked for one after the other in rising order, also where somebody goes back: a decoder
// that has to go back begins at the key frame before.

import { signal } from '@preact/signals';

import { videos } from '../api/calls.ts';
import { readBlob } from '../api/http.ts';
import type { Video } from '../api/types.ts';
import { Lru } from './lru.ts';

/** Pixels that are kept, in bytes. */
const ROOM = 192 << 20;
/** Frames that are kept at most, however small they are. */
const MOST = 1000;
const AHEAD = 12;
/** Frames that are fetched together by who goes back. */
const STRETCH = 12;

/** How many frames of a video are kept: the one that is shown and another at least. */
export function kept({ width, height }: Pick<Video, 'width' | 'height'>): number {
  return Math.min(MOST, Math.max(2, Math.floor(ROOM / (width * height * 4))));
}

/**
 * The frames that are needed next, in the order in which they are fetched; no more than are `kept`, or
 * the last ones would push out the first.
 */
export function needed(frame: number, direction: 1 | -1, frames: number, kept: number): number[] {
  const from = (start: number, end: number) =>
    Array.from({ length: Math.max(0, end - start) }, (_, step) => start + step);
  if (direction === 1) return from(frame, Math.min(frames, frame + Math.min(AHEAD, kept)));
  const stretch = Math.min(STRETCH, Math.floor(kept / 2));
  const start = frame - (frame % stretch);
  const before = frame - start < stretch / 2 ? from(Math.max(0, start - stretch), start) : [];
  return [...from(start, frame + 1), ...before];
}

export class Frames {
  /** Rises when a frame has come. */
  readonly changed = signal(0);
  readonly #video: Video;
  readonly #kept: number;
  readonly #pictures: Lru<number, ImageBitmap>;
  #loading: number | null = null;
  readonly #failed = new Set<number>();
  #wanted: number[] = [];
  /** The frame that is shown and those that will be needed next: none of them pushes out another. */
  #near: ReadonlySet<number> = new Set();
  #closed = false;

  constructor(video: Video) {
    this.#video = video;
    this.#kept = kept(video);
    this.#pictures = new Lru(
      this.#kept,
      (picture) => picture.close(),
      (frame) => this.#near.has(frame),
    );
  }

  get(frame: number): ImageBitmap | undefined {
    return this.#pictures.get(frame);
  }

  /** Tries to load a frame again that could not be loaded. */
  retry(frame: number): void {
    this.#failed.delete(frame);
  }

  /** Whether it could not be loaded. */
  failed(frame: number): boolean {
    return this.#failed.has(frame);
  }

  /** Loads a frame, and those that will be needed next. What was wanted before no longer is. */
  want(frame: number, direction: 1 | -1): void {
    const near = needed(frame, direction, this.#video.frames, this.#kept);
    this.#near = new Set(near);
    this.#wanted = near.filter((one) => !this.#pictures.has(one) && !this.#failed.has(one) && one !== this.#loading);
    this.#next();
  }

  close(): void {
    this.#closed = true;
    this.#wanted = [];
    this.#pictures.clear();
  }

  #next(): void {
    if (this.#loading !== null) return;
    const frame = this.#wanted.shift();
    if (frame !== undefined) void this.#load(frame);
  }

  async #load(frame: number): Promise<void> {
    this.#loading = frame;
    try {
      const picture = await createImageBitmap(await readBlob(videos.frame(this.#video.id, frame)));
      if (this.#closed) picture.close();
      else this.#pictures.set(frame, picture);
    } catch {
      // The stage says so; another look at the frame tries again.
      this.#failed.add(frame);
    }
    this.#loading = null;
    if (this.#closed) return;
    this.changed.value++;
    this.#next();
  }
}
