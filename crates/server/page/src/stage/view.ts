// How the stage shows the video now.

import { signal } from '@preact/signals';

import type { Point } from '../masks/paint.ts';
import { type Size, type Viewport, fitted, panned, zoomed } from './viewport.ts';

export class View {
  readonly viewport = signal<Viewport>({ scale: 1, left: 0, top: 0 });
  readonly #video: Size;
  #stage: Size = { width: 1, height: 1 };
  /** Whether it is to show the whole video whatever the stage's size is. */
  #fits = true;

  constructor(video: Size) {
    this.#video = video;
  }

  /** The stage has another size. */
  resize(stage: Size): void {
    this.#stage = stage;
    if (this.#fits) this.fit();
    else this.pan(0, 0);
  }

  fit(): void {
    this.#fits = true;
    this.viewport.value = fitted(this.#video, this.#stage);
  }

  /** Zooms by a factor, around a point of the stage: its middle if left out. */
  zoom(factor: number, around: Point = { x: this.#stage.width / 2, y: this.#stage.height / 2 }): void {
    this.#fits = false;
    this.viewport.value = zoomed(this.viewport.peek(), factor, around, this.#video, this.#stage);
  }

  pan(dx: number, dy: number): void {
    this.#fits = false;
    this.viewport.value = panned(this.viewport.peek(), dx, dy, this.#video, this.#stage);
  }
}
