// What a lane of the timeline shows, computed for each of its pixels.

import type { FrameEntry } from '../api/types.ts';

/** What is known of an object under a pixel of its lane; 0 where nothing is. */
export const OCCLUDED = 1;
export const VISIBLE = 2;

/** Pixels that a mark takes: closer ones would hide each other, and the lane. */
const MARK = 8;

export interface Lane {
  /** For each pixel: the most that is known on its frames. */
  columns: Uint8Array;
  /** Pixels in the middle of frames that somebody prompted, those left out that are too close. */
  prompted: number[];
  /** And of those that somebody drew on. */
  edited: number[];
}

/** The pixels that a frame takes: from the first up to, and not including, the second. */
export function columnsOf(frame: number, frames: number, width: number): [number, number] {
  const start = Math.floor((frame * width) / frames);
  return [start, Math.max(start + 1, Math.floor(((frame + 1) * width) / frames))];
}

/** Where the middle of a frame is. */
export const middleOf = (frame: number, frames: number, width: number): number => ((frame + 0.5) * width) / frames;

/** The frame at a place. */
export function frameAt(x: number, frames: number, width: number): number {
  return Math.min(frames - 1, Math.max(0, Math.floor((x / width) * frames)));
}

export function laneOf(entries: Iterable<FrameEntry>, frames: number, width: number): Lane {
  const columns = new Uint8Array(width);
  // By the stretch of the lane: one mark in each, however many frames it has.
  const prompted = new Map<number, number>();
  const edited = new Map<number, number>();
  for (const { frame, area, prompts, edited: drawn } of entries) {
    const [start, end] = columnsOf(frame, frames, width);
    const known = area > 0 ? VISIBLE : OCCLUDED;
    for (let x = start; x < end && x < width; x++) columns[x] = Math.max(columns[x]!, known);
    const middle = middleOf(frame, frames, width);
    if (prompts.some((prompt) => prompt.kind !== 'mask')) prompted.set(Math.floor(middle / MARK), middle);
    if (drawn) edited.set(Math.floor(middle / MARK), middle);
  }
  return { columns, prompted: [...prompted.values()], edited: [...edited.values()] };
}

/** A few numbers of frames to write on a ruler, evenly spaced. */
export function ticks(frames: number, most: number): number[] {
  const step = [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2500, 5000, 10000, 25000].find(
    (candidate) => frames / candidate <= most,
  );
  return Array.from({ length: Math.ceil(frames / (step ?? frames)) }, (_, index) => index * (step ?? frames));
}
