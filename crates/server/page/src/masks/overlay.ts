// How a mask looks over the video: its colour, see-through inside and solid along its edge.

import type { Area } from './paint.ts';
import type { Bitmap } from './rle.ts';

/** Red, green, blue. */
export type Colour = [number, number, number];

const INSIDE = 105;
const EDGE = 255;

/** The smallest area with all of a mask's pixels; nothing if it has none. */
export function boundsOf({ width, height, data }: Bitmap): Area | null {
  let [x0, y0, x1, y1] = [width, height, 0, 0];
  for (let y = 0; y < height; y++) {
    const row = data.subarray(y * width, (y + 1) * width);
    const first = row.indexOf(1);
    if (first < 0) continue;
    x0 = Math.min(x0, first);
    x1 = Math.max(x1, row.lastIndexOf(1) + 1);
    y0 = Math.min(y0, y);
    y1 = y + 1;
  }
  return x0 < x1 ? { x0, y0, x1, y1 } : null;
}

/** The pixels (RGBA) of a part of a mask. */
export function tint({ width, height, data }: Bitmap, colour: Colour, area: Area): ImageData {
  const pixels = new ImageData(area.x1 - area.x0, area.y1 - area.y0);
  const at = (x: number, y: number) => (x >= 0 && y >= 0 && x < width && y < height ? data[y * width + x]! : 0);
  let out = 0;
  for (let y = area.y0; y < area.y1; y++) {
    for (let x = area.x0; x < area.x1; x++, out += 4) {
      if (!data[y * width + x]) continue;
      const inside = at(x - 1, y) & at(x + 1, y) & at(x, y - 1) & at(x, y + 1);
      pixels.data[out] = colour[0];
      pixels.data[out + 1] = colour[1];
      pixels.data[out + 2] = colour[2];
      pixels.data[out + 3] = inside ? INSIDE : EDGE;
    }
  }
  return pixels;
}
