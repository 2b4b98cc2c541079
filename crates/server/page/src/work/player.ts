// Which frame is shown, and playing.

import { signal } from '@preact/signals';

export class Player {
  readonly frame = signal(0);
  readonly playing = signal(false);
  /** How fast it plays, of the video's own speed. */
  readonly speed = signal(1);
  readonly count: number;
  readonly #perSecond: number;
  /** Whether all of a frame is there to be shown. */
  readonly #ready: (frame: number) => boolean;
  /** Which way it last went. */
  direction: 1 | -1 = 1;
  #request = 0;
  #due = 0;

  constructor(count: number, perSecond: number, ready: (frame: number) => boolean) {
    this.count = count;
    this.#perSecond = perSecond;
    this.#ready = ready;
  }

  /** Shows a frame; one beyond the ends is the first or last. */
  seek(frame: number): void {
    const target = Math.min(this.count - 1, Math.max(0, Math.round(frame)));
    if (target !== this.frame.peek()) this.direction = target > this.frame.peek() ? 1 : -1;
    this.frame.value = target;
  }

  step(frames: number): void {
    this.pause();
    this.seek(this.frame.peek() + frames);
  }

  toggle(): void {
    if (this.playing.peek()) this.pause();
    else this.play();
  }

  /** Plays every frame, again and again; waits where one is not there yet. */
  play(): void {
    if (this.playing.peek()) return;
    this.playing.value = true;
    this.#due = 0;
    const turn = (now: number) => {
      this.#request = requestAnimationFrame(turn);
      const pause = 1000 / (this.#perSecond * this.speed.peek());
      if (this.#due === 0) this.#due = now + pause;
      const next = (this.frame.peek() + 1) % this.count;
      if (now < this.#due || !this.#ready(next)) return;
      this.direction = 1;
      this.frame.value = next;
      // Late frames are not caught up with: none is left out.
      this.#due = Math.max(this.#due + pause, now);
    };
    this.#request = requestAnimationFrame(turn);
  }

  pause(): void {
    cancelAnimationFrame(this.#request);
    this.playing.value = false;
  }
}
