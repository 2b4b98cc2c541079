// Where the video is on the screen: zoom and pan.

import type { Point } from '../masks/paint.ts';

export interface Size {
  width: number;
  height: number;
}

/** A pixel (x, y) of the video is at (left + scale * x, top + scale * y) of the stage. */
export interface Viewport {
  scale: number;
  left: number;
  top: number;
}

const LARGEST = 40;
/** How much of the video stays in sight, in pixels of the stage. */
const KEPT = 48;

/** The whole video, as large as it fits, in the middle. */
export function fitted(video: Size, stage: Size): Viewport {
  const scale = Math.min(stage.width / video.width, stage.height / video.height);
  return {
    scale,
    left: (stage.width - scale * video.width) / 2,
    top: (stage.height - scale * video.height) / 2,
  };
}

export function toVideo(viewport: Viewport, point: Point): Point {
  return { x: (point.x - viewport.left) / viewport.scale, y: (point.y - viewport.top) / viewport.scale };
}

export function toStage(viewport: Viewport, point: Point): Point {
  return { x: viewport.left + viewport.scale * point.x, y: viewport.top + viewport.scale * point.y };
}

/** Zooms by a factor while what is under `point` of the stage stays there. */
export function zoomed(viewport: Viewport, factor: number, point: Point, video: Size, stage: Size): Viewport {
  const smallest = fitted(video, stage).scale / 2;
  const scale = Math.min(LARGEST, Math.max(smallest, viewport.scale * factor));
  const under = toVideo(viewport, point);
  return kept({ scale, left: point.x - scale * under.x, top: point.y - scale * under.y }, video, stage);
}

export function panned(viewport: Viewport, dx: number, dy: number, video: Size, stage: Size): Viewport {
  return kept({ ...viewport, left: viewport.left + dx, top: viewport.top + dy }, video, stage);
}

/** Lets no one lose the video. */
function kept(viewport: Viewport, video: Size, stage: Size): Viewport {
  const clamp = (start: number, length: number, room: number) => Math.min(room - KEPT, Math.max(KEPT - length, start));
  return {
    scale: viewport.scale,
    left: clamp(viewport.left, viewport.scale * video.width, stage.width),
    top: clamp(viewport.top, viewport.scale * video.height, stage.height),
  };
}
