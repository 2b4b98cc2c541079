// A mask that is being drawn: changed on the page at once, sent when the pointer is released.

import { signal } from '@preact/signals';

import type { MaskOn } from '../api/types.ts';
import { type Colour, tint } from '../masks/overlay.ts';
import { type Area, type Point, fillPolygon, paintLine, union } from '../masks/paint.ts';
import { decoded, encoded } from '../masks/pool.ts';
import { type Bitmap, emptyBitmap } from '../masks/rle.ts';
import type { Draft } from '../stage/draw.ts';
import type { Work } from '../work/work.ts';

/** Changes a mask and returns the area that it changed. */
type Change = (mask: Bitmap) => Area | null;

export class Drawing implements Draft {
  readonly masklet: number;
  readonly frame: number;
  readonly canvas: OffscreenCanvas;
  /** Rises with every change that can be seen. */
  readonly changed = signal(0);
  readonly #colour: Colour;
  readonly #mask: Promise<Bitmap>;
  /** What was done before the mask was there, and what is done now, in turn. */
  #line: Promise<void>;
  /** Strokes that are not saved yet. */
  unsaved = 0;

  constructor(work: Work, masklet: number, frame: number, colour: Colour) {
    const { width, height } = work.video;
    this.masklet = masklet;
    this.frame = frame;
    this.#colour = colour;
    this.canvas = new OffscreenCanvas(width, height);
    this.#mask = work.masks.fetched(masklet, frame).then((rle) => (rle ? decoded(rle) : emptyBitmap(width, height)));
    this.#line = this.#mask.then((mask) => this.#paint(mask, { x0: 0, y0: 0, x1: width, y1: height }));
  }

  stroke(from: Point, to: Point, diameter: number, value: 0 | 1): void {
    this.#change((mask) => paintLine(mask, from, to, diameter, value));
  }

  polygon(corners: readonly Point[], value: 0 | 1): void {
    this.#change((mask) => fillPolygon(mask, corners, value));
  }

  /** The mask as it is when all that was begun is done. */
  async result(): Promise<MaskOn> {
    await this.#line;
    return { masklet: this.masklet, frame: this.frame, mask: await encoded(await this.#mask) };
  }

  #change(change: Change): void {
    this.#line = this.#line.then(async () => {
      const mask = await this.#mask;
      const area = change(mask);
      if (area) this.#paint(mask, area);
    });
  }

  #paint(mask: Bitmap, area: Area): void {
    // Edges change one pixel beyond what was painted.
    const wider = union(area, { x0: area.x0 - 1, y0: area.y0 - 1, x1: area.x1 + 1, y1: area.y1 + 1 })!;
    const part = {
      x0: Math.max(0, wider.x0),
      y0: Math.max(0, wider.y0),
      x1: Math.min(mask.width, wider.x1),
      y1: Math.min(mask.height, wider.y1),
    };
    this.canvas.getContext('2d')!.putImageData(tint(mask, this.#colour, part), part.x0, part.y0);
    this.changed.value++;
  }
}
