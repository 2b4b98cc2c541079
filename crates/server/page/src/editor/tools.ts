// The tools: what the pointer does on the stage.

import { computed, signal } from '@preact/signals';

import type { Point } from '../masks/paint.ts';
import type { Tool } from '../stage/stage.tsx';
import type { Draft } from '../stage/draw.ts';
import { drawBox, drawBrush, drawCross, drawPolygon, drawPrompts } from '../stage/draw.ts';
import type { Viewport } from '../stage/viewport.ts';
import type { Drawing } from './draft.ts';
import type { Editor } from './editor.ts';

export type ToolName = 'click' | 'box' | 'brush' | 'eraser' | 'polygon';

/** A box that is smaller, in pixels of the stage, was a slip of the hand. */
const SMALLEST_BOX = 4;
/** How near, in pixels of the stage, a click closes a polygon at its first corner. */
const CLOSING = 9;
export const SMALLEST_BRUSH = 1;
export const LARGEST_BRUSH = 300;

const RIGHT = 2;

export class Tools implements Tool {
  readonly name = signal<ToolName>('click');
  /** Diameter of brush and eraser, in pixels of the video. */
  readonly size = signal(20);
  readonly corners = signal<readonly Point[]>([]);
  /** Whether the keyboard moves the pointer. */
  readonly byKeyboard = signal(false);
  readonly #editor: Editor;
  readonly #pointer = signal<Point | null>(null);
  readonly #start = signal<Point | null>(null);
  readonly #painting = computed(() => this.name.value === 'brush' || this.name.value === 'eraser');
  #stroke: { drawing: Promise<Drawing | undefined>; last: Point; value: 0 | 1 } | null = null;
  #scale = 1;

  constructor(editor: Editor) {
    this.#editor = editor;
  }

  choose(name: ToolName): void {
    this.abandon();
    this.name.value = name;
  }

  /** Drops what was begun; whether there was anything. */
  abandon(): boolean {
    const begun = this.corners.peek().length > 0 || this.#start.peek() !== null;
    this.corners.value = [];
    this.#start.value = null;
    return begun;
  }

  resize(factor: number): void {
    const size = this.size.peek() * factor;
    const next =
      factor > 1 ? Math.max(this.size.peek() + 1, Math.round(size)) : Math.min(this.size.peek() - 1, Math.round(size));
    this.size.value = Math.min(LARGEST_BRUSH, Math.max(SMALLEST_BRUSH, next));
  }

  /** Takes the last corner away; whether there was one. */
  dropCorner(): boolean {
    const corners = this.corners.peek();
    this.corners.value = corners.slice(0, -1);
    return corners.length > 0;
  }

  /** Adds the polygon's inside to the mask, or takes it out. */
  async close(value: 0 | 1): Promise<void> {
    const corners = this.corners.peek();
    this.corners.value = [];
    if (corners.length < 3) return;
    const drawing = await this.#editor.begin();
    if (!drawing) return;
    drawing.polygon(corners, value);
    await this.#editor.keep(drawing);
  }

  /** Lets the keyboard move the pointer, from the middle of the frame, or no longer. */
  toggleKeyboard(): void {
    const { width, height } = this.#editor.work.video;
    this.byKeyboard.value = !this.byKeyboard.peek();
    this.#pointer.value = this.byKeyboard.peek() ? { x: width / 2, y: height / 2 } : null;
  }

  /** Moves the keyboard's pointer by pixels of the video, or of the stage where those are larger. */
  nudge(dx: number, dy: number): void {
    const { x, y } = this.#pointer.peek() ?? { x: 0, y: 0 };
    const unit = Math.max(1, 1 / this.#scale);
    this.#pointer.value = this.#clamped({ x: x + dx * unit, y: y + dy * unit });
  }

  /** Does at the keyboard's pointer what a button does; a box takes two of them. */
  press(negative: boolean): void {
    const at = this.#pointer.peek();
    if (!at) return;
    const ends = this.#start.peek() !== null;
    if (!ends) this.down(at, { button: negative ? RIGHT : 0, shiftKey: false });
    if (ends || this.name.peek() !== 'box') this.up(at);
  }

  cursor(): string {
    if (!this.#editor.work.held.value) return 'not-allowed';
    return this.#painting.value ? 'none' : 'crosshair';
  }

  draft(): Draft | null {
    return this.#editor.drawing.peek();
  }

  down(at: Point, event: Pick<PointerEvent, 'button' | 'shiftKey'>): void {
    const { work, object } = this.#editor;
    if (!work.held.peek() || (object.peek() && !this.#editor.open.peek())) return;
    work.player.pause();
    const negative = event.button === RIGHT || event.shiftKey;
    switch (this.name.peek()) {
      case 'click':
        if (this.#inside(at)) void this.#editor.click(at, !negative);
        break;
      case 'box':
        this.#start.value = at;
        break;
      case 'brush':
      case 'eraser':
        this.#begin(at, (this.name.peek() === 'brush') !== negative ? 1 : 0);
        break;
      case 'polygon':
        this.#corner(at, negative);
    }
  }

  move(at: Point, event: PointerEvent): void {
    this.byKeyboard.value = false;
    this.#pointer.value = at;
    const stroke = this.#stroke;
    if (!stroke || event.buttons === 0) return;
    const { last, value } = stroke;
    const size = this.size.peek();
    stroke.last = at;
    void stroke.drawing.then((drawing) => drawing?.stroke(last, at, size, value));
  }

  up(at: Point): void {
    const start = this.#start.peek();
    this.#start.value = null;
    if (start) {
      const smallest = SMALLEST_BOX / this.#scale;
      if (Math.abs(start.x - at.x) >= smallest && Math.abs(start.y - at.y) >= smallest) {
        void this.#editor.box(this.#clamped(start), this.#clamped(at));
      }
    }
    const stroke = this.#stroke;
    this.#stroke = null;
    void stroke?.drawing.then((drawing) => drawing && this.#editor.keep(drawing));
  }

  leave(): void {
    if (!this.byKeyboard.peek()) this.#pointer.value = null;
  }

  twice(): void {
    // The second press of the two set a corner on the one before.
    if (this.name.peek() !== 'polygon' || !this.dropCorner()) return;
    void this.close(1);
  }

  track(): void {
    const { selected, pending, drawing } = this.#editor;
    void [this.name.value, this.size.value, this.corners.value, this.#pointer.value, this.#start.value];
    void [selected.value, pending.value, drawing.value?.changed.value];
  }

  draw(to: CanvasRenderingContext2D, viewport: Viewport): void {
    this.#scale = viewport.scale;
    const { work, selected, pending, object } = this.#editor;
    const frame = work.player.frame.peek();
    const masklet = selected.peek();
    if (masklet !== null) drawPrompts(to, viewport, work.entries.get(masklet, frame)?.prompts ?? [], false);
    for (const one of pending.peek()) {
      if (one.frame === frame && one.masklet === masklet) drawPrompts(to, viewport, [one.prompt], true);
    }
    const [pointer, start] = [this.#pointer.peek(), this.#start.peek()];
    if (start && pointer) drawBox(to, viewport, start, pointer);
    const colour = object.peek()?.colour ?? [255, 255, 255];
    if (this.corners.peek().length) drawPolygon(to, viewport, this.corners.peek(), pointer, colour);
    if (pointer && this.byKeyboard.peek()) drawCross(to, viewport, pointer);
    if (pointer && this.#painting.peek() && work.held.peek()) drawBrush(to, viewport, pointer, this.size.peek());
  }

  #begin(at: Point, value: 0 | 1): void {
    const drawing = this.#editor.begin();
    const size = this.size.peek();
    this.#stroke = { drawing, last: at, value };
    void drawing.then((begun) => begun?.stroke(at, at, size, value));
  }

  #corner(at: Point, cut: boolean): void {
    const [first] = this.corners.peek();
    const near = first && Math.hypot(first.x - at.x, first.y - at.y) * this.#scale < CLOSING;
    if (near && this.corners.peek().length > 2) void this.close(cut ? 0 : 1);
    else this.corners.value = [...this.corners.peek(), at];
  }

  #inside({ x, y }: Point): boolean {
    const { width, height } = this.#editor.work.video;
    return x >= 0 && y >= 0 && x < width && y < height;
  }

  #clamped({ x, y }: Point): Point {
    const { width, height } = this.#editor.work.video;
    return { x: Math.min(width, Math.max(0, x)), y: Math.min(height, Math.max(0, y)) };
  }
}
