// The video's frames: fetched by number, decoded beside the page, kept while there is room.

import { signal } from '@preact/signals';

import { videos } from '../api/calls.ts';
import { readBlob } from '../api/http.ts';
import type { Video } from '../api/types.ts';
import { Lru } from './lru.ts';

/** Pixels that are kept, in bytes. */
const ROOM = 192 << 20;
const AT_ONCE = 4;
const AHEAD = 10;
const BEHIND = 2;

export class Frames {
  /** Rises when a frame has come. */
  readonly changed = signal(0);
  readonly #video: Video;
  readonly #pictures: Lru<number, ImageBitmap>;
  readonly #loading = new Set<number>();
  readonly #failed = new Set<number>();
  #wanted: number[] = [];
  #closed = false;

  constructor(video: Video) {
    this.#video = video;
    this.#pictures = new Lru(ROOM, (picture) => picture.close());
  }

  get(frame: number): ImageBitmap | undefined {
    return this.#pictures.get(frame);
  }

  /** Whether it could not be loaded. */
  failed(frame: number): boolean {
    return this.#failed.has(frame);
  }

  /** Loads a frame, and those that will be needed next. What was wanted before no longer is. */
  want(frame: number, direction: 1 | -1): void {
    const near = Array.from({ length: AHEAD + 1 }, (_, step) => frame + step * direction);
    const before = Array.from({ length: BEHIND }, (_, step) => frame - (step + 1) * direction);
    this.#failed.delete(frame);
    this.#wanted = [...near, ...before].filter(
      (one) => one >= 0 && one < this.#video.frames && !this.#pictures.has(one) && !this.#failed.has(one),
    );
    this.#next();
  }

  close(): void {
    this.#closed = true;
    this.#wanted = [];
    this.#pictures.clear();
  }

  #next(): void {
    while (this.#loading.size < AT_ONCE) {
      const frame = this.#wanted.shift();
      if (frame === undefined) return;
      if (!this.#loading.has(frame)) void this.#load(frame);
    }
  }

  async #load(frame: number): Promise<void> {
    this.#loading.add(frame);
    try {
      const picture = await createImageBitmap(await readBlob(videos.frame(this.#video.id, frame)));
      if (this.#closed) picture.close();
      else this.#pictures.set(frame, picture, picture.width * picture.height * 4);
    } catch {
      // The stage says so; another look at the frame tries again.
      this.#failed.add(frame);
    }
    this.#loading.delete(frame);
    if (this.#closed) return;
    this.changed.value++;
    this.#next();
  }
}
