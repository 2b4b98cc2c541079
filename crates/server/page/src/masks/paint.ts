// Brush, eraser and polygon: pixel-exact changes of a mask. A pixel belongs to a shape if its centre
// does; the centre of pixel (x, y) is at (x + 0.5, y + 0.5).

import type { Bitmap } from './rle.ts';

export interface Point {
  x: number;
  y: number;
}

/** Pixels from (x0, y0) up to, and not including, (x1, y1). */
export interface Area {
  x0: number;
  y0: number;
  x1: number;
  y1: number;
}

/** The part of an area that is in the picture; nothing if none is. */
function within(area: Area, { width, height }: Bitmap): Area | null {
  const clipped = {
    x0: Math.max(0, Math.floor(area.x0)),
    y0: Math.max(0, Math.floor(area.y0)),
    x1: Math.min(width, Math.ceil(area.x1)),
    y1: Math.min(height, Math.ceil(area.y1)),
  };
  return clipped.x0 < clipped.x1 && clipped.y0 < clipped.y1 ? clipped : null;
}

/** The smallest area with both. */
export function union(one: Area | null, other: Area | null): Area | null {
  if (!one || !other) return one ?? other;
  return {
    x0: Math.min(one.x0, other.x0),
    y0: Math.min(one.y0, other.y0),
    x1: Math.max(one.x1, other.x1),
    y1: Math.max(one.y1, other.y1),
  };
}

/**
 * Sets the pixels within half of `diameter` of the line from one point to another, and returns the
 * area that may have changed. A brush of diameter 1 sets the pixel under it, wherever in it the
 * pointer is.
 */
export function paintLine(mask: Bitmap, from: Point, to: Point, diameter: number, value: 0 | 1): Area | null {
  const radius = diameter / 2;
  const area = within(
    {
      x0: Math.min(from.x, to.x) - radius - 1,
      y0: Math.min(from.y, to.y) - radius - 1,
      x1: Math.max(from.x, to.x) + radius + 1,
      y1: Math.max(from.y, to.y) + radius + 1,
    },
    mask,
  );
  if (!area) return null;
  const reach = Math.max(radius, Math.SQRT1_2) ** 2;
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const squared = dx * dx + dy * dy;
  for (let y = area.y0; y < area.y1; y++) {
    for (let x = area.x0; x < area.x1; x++) {
      const [px, py] = [x + 0.5 - from.x, y + 0.5 - from.y];
      const along = squared > 0 ? Math.min(1, Math.max(0, (px * dx + py * dy) / squared)) : 0;
      const [ox, oy] = [px - along * dx, py - along * dy];
      if (ox * ox + oy * oy <= reach) mask.data[y * mask.width + x] = value;
    }
  }
  return area;
}

/** Sets the pixels inside a polygon (even-odd), and returns the area that may have changed. */
export function fillPolygon(mask: Bitmap, corners: readonly Point[], value: 0 | 1): Area | null {
  if (corners.length < 3) return null;
  const area = within(
    {
      x0: Math.min(...corners.map((corner) => corner.x)),
      y0: Math.min(...corners.map((corner) => corner.y)),
      x1: Math.max(...corners.map((corner) => corner.x)),
      y1: Math.max(...corners.map((corner) => corner.y)),
    },
    mask,
  );
  if (!area) return null;
  for (let y = area.y0; y < area.y1; y++) {
    const centre = y + 0.5;
    const crossings: number[] = [];
    corners.forEach((corner, index) => {
      const next = corners[(index + 1) % corners.length]!;
      if (corner.y <= centre === next.y <= centre) return;
      crossings.push(corner.x + ((centre - corner.y) * (next.x - corner.x)) / (next.y - corner.y));
    });
    crossings.sort((left, right) => left - right);
    for (let pair = 0; pair + 1 < crossings.length; pair += 2) {
      const start = Math.max(area.x0, Math.ceil(crossings[pair]! - 0.5));
      const end = Math.min(area.x1, Math.ceil(crossings[pair + 1]! - 0.5));
      if (start < end) mask.data.fill(value, y * mask.width + start, y * mask.width + end);
    }
  }
  return area;
}
