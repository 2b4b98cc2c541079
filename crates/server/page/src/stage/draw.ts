// What is on the stage: the frame, the masks, what the model was shown.

import type { Prompt } from '../api/types.ts';
import type { Colour } from '../masks/overlay.ts';
import type { Point } from '../masks/paint.ts';
import type { Work } from '../work/work.ts';
import { type Viewport, toStage } from './viewport.ts';

/** From so many pixels of the stage for one of the video, pixels are shown as squares. */
const SQUARES = 3;
const MARK = 7;
const BLACK = '#000';
const WHITE = '#fff';

/** A canvas that stands for an object's mask on a frame while it is being changed. */
export interface Draft {
  masklet: number;
  frame: number;
  canvas: OffscreenCanvas;
}

/** Draws the frame that is shown and the masks over it. */
export function drawFrame(
  to: CanvasRenderingContext2D,
  viewport: Viewport,
  work: Work,
  picture: ImageBitmap,
  draft: Draft | null,
): void {
  const frame = work.player.frame.peek();
  const { scale, left, top } = viewport;
  to.save();
  to.imageSmoothingEnabled = scale < SQUARES;
  to.translate(left, top);
  to.scale(scale, scale);
  to.drawImage(picture, 0, 0, work.video.width, work.video.height);
  for (const { id, colour } of work.task.peek().masklets) {
    if (work.hidden.peek().has(id)) continue;
    if (draft?.masklet === id && draft.frame === frame) {
      to.drawImage(draft.canvas, 0, 0);
      continue;
    }
    const overlay = work.masks.overlay(id, frame, colour);
    if (overlay) to.drawImage(overlay.picture, overlay.x, overlay.y);
  }
  to.restore();
}

/** Draws a line twice, a thick dark one under a thin light one, so that it is seen on any picture. */
function outline(to: CanvasRenderingContext2D, path: () => void, light: string, width: number): void {
  for (const [across, style] of [
    [2 * width, BLACK],
    [width, light],
  ] as const) {
    to.beginPath();
    path();
    to.lineWidth = across;
    to.strokeStyle = style;
    to.stroke();
  }
}

function drawClick(to: CanvasRenderingContext2D, at: Point, positive: boolean, pending: boolean): void {
  to.beginPath();
  to.arc(at.x, at.y, MARK, 0, 2 * Math.PI);
  to.fillStyle = positive ? '#1b7340' : '#b3261e';
  to.globalAlpha = pending ? 0.5 : 1;
  to.fill();
  to.globalAlpha = 1;
  to.lineWidth = 2;
  to.strokeStyle = WHITE;
  to.setLineDash(pending ? [3, 3] : []);
  to.stroke();
  to.setLineDash([]);
  // A plus or a minus: colours alone do not tell them apart.
  to.beginPath();
  to.moveTo(at.x - 3.5, at.y);
  to.lineTo(at.x + 3.5, at.y);
  if (positive) {
    to.moveTo(at.x, at.y - 3.5);
    to.lineTo(at.x, at.y + 3.5);
  }
  to.stroke();
}

/** Draws a box between two points of the video. */
export function drawBox(to: CanvasRenderingContext2D, viewport: Viewport, one: Point, other: Point): void {
  const [a, b] = [toStage(viewport, one), toStage(viewport, other)];
  to.lineWidth = 2;
  for (const [dash, style] of [
    [[], BLACK],
    [[6, 4], WHITE],
  ] as const) {
    to.setLineDash([...dash]);
    to.strokeStyle = style;
    to.strokeRect(Math.min(a.x, b.x), Math.min(a.y, b.y), Math.abs(a.x - b.x), Math.abs(a.y - b.y));
  }
  to.setLineDash([]);
}

/** Draws what the model was shown of an object. */
export function drawPrompts(
  to: CanvasRenderingContext2D,
  viewport: Viewport,
  prompts: readonly Prompt[],
  pending: boolean,
): void {
  for (const prompt of prompts) {
    if (prompt.kind === 'click') drawClick(to, toStage(viewport, prompt), prompt.positive, pending);
    if (prompt.kind === 'box') drawBox(to, viewport, { x: prompt.x0, y: prompt.y0 }, { x: prompt.x1, y: prompt.y1 });
  }
}

/** Draws the outline of a polygon that is not closed yet. */
export function drawPolygon(
  to: CanvasRenderingContext2D,
  viewport: Viewport,
  corners: readonly Point[],
  pointer: Point | null,
  colour: Colour,
): void {
  const points = [...corners, ...(pointer ? [pointer] : [])].map((corner) => toStage(viewport, corner));
  const path = () => points.forEach(({ x, y }, index) => (index === 0 ? to.moveTo(x, y) : to.lineTo(x, y)));
  to.beginPath();
  path();
  to.fillStyle = `rgb(${colour.join(' ')} / 30%)`;
  to.fill();
  outline(to, path, WHITE, 1.5);
  to.fillStyle = WHITE;
  for (const corner of corners.map((one) => toStage(viewport, one))) to.fillRect(corner.x - 3, corner.y - 3, 6, 6);
}

/** Draws where the keyboard's pointer is. */
export function drawCross(to: CanvasRenderingContext2D, viewport: Viewport, at: Point): void {
  const { x, y } = toStage(viewport, at);
  const arms = () => {
    for (const [dx, dy] of [
      [1, 0],
      [-1, 0],
      [0, 1],
      [0, -1],
    ] as const) {
      to.moveTo(x + 4 * dx, y + 4 * dy);
      to.lineTo(x + 14 * dx, y + 14 * dy);
    }
  };
  outline(to, arms, '#ffd166', 2);
}

/** Draws the ring of a brush. */
export function drawBrush(to: CanvasRenderingContext2D, viewport: Viewport, at: Point, diameter: number): void {
  const { x, y } = toStage(viewport, at);
  const radius = Math.max(2, (diameter / 2) * viewport.scale);
  outline(to, () => to.arc(x, y, radius, 0, 2 * Math.PI), WHITE, 1.5);
}
