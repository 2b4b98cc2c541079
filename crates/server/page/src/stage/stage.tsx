// The canvas with the video: draws when something has changed, zooms and pans, and hands the pointer
// to the tool.

import { type ReadonlySignal, effect, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';

import type { Point } from '../masks/paint.ts';
import type { Work } from '../work/work.ts';
import { type Draft, drawFrame } from './draw.ts';
import type { View } from './view.ts';
import { type Viewport, toVideo } from './viewport.ts';

/** What the pointer does on the stage. Points are in pixels of the video. */
export interface Tool {
  cursor(): string;
  down(at: Point, event: PointerEvent): void;
  move(at: Point, event: PointerEvent): void;
  up(at: Point, event: PointerEvent): void;
  leave(): void;
  twice(): void;
  /** The mask that is being changed. */
  draft(): Draft | null;
  draw(to: CanvasRenderingContext2D, viewport: Viewport): void;
  /** Reads what it draws from, so that the stage draws again when that changes. */
  track(): void;
}

interface Props {
  work: Work;
  view: View;
  label: string;
  tool?: Tool;
  /** Whether the pointer pans, whatever the tool is. */
  panning?: ReadonlySignal<boolean>;
}

const WHEEL = 0.0015;

export function Stage({ work, view, label, tool, panning }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const drag = useRef<Point | null>(null);
  const missing = useSignal(true);

  useEffect(() => {
    const element = canvas.current!;
    const to = element.getContext('2d')!;
    let request = 0;
    const draw = () => {
      request = 0;
      const frame = work.player.frame.peek();
      const picture = work.frames.get(frame);
      missing.value = picture === undefined;
      // What was there stays until the frame has come.
      if (!picture) return;
      const { width, height } = element.getBoundingClientRect();
      const ratio = devicePixelRatio;
      const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
      if (element.width !== across || element.height !== down) {
        element.width = across;
        element.height = down;
      }
      const viewport = view.viewport.peek();
      to.setTransform(ratio, 0, 0, ratio, 0, 0);
      to.clearRect(0, 0, width, height);
      drawFrame(to, viewport, work, picture, tool?.draft() ?? null);
      tool?.draw(to, viewport);
      element.dataset.frame = String(frame);
    };
    const redraw = () => (request ||= requestAnimationFrame(draw));
    const size = new ResizeObserver(([entry]) => {
      view.resize(entry!.contentRect);
      redraw();
    });
    size.observe(element);
    const end = effect(() => {
      tool?.track();
      void [
        view.viewport.value,
        work.player.frame.value,
        work.frames.changed.value,
        work.masks.changed.value,
        work.entries.changed.value,
        work.task.value,
        work.hidden.value,
      ];
      redraw();
    });
    const wheel = (event: WheelEvent) => {
      event.preventDefault();
      const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 30 : 1;
      view.zoom(Math.exp(-event.deltaY * WHEEL * lines), { x: event.offsetX, y: event.offsetY });
    };
    element.addEventListener('wheel', wheel, { passive: false });
    return () => {
      end();
      size.disconnect();
      cancelAnimationFrame(request);
      element.removeEventListener('wheel', wheel);
    };
  }, [work, view, tool]);

  const at = (event: PointerEvent | MouseEvent) =>
    toVideo(view.viewport.peek(), { x: event.offsetX, y: event.offsetY });
  const down = (event: PointerEvent) => {
    canvas.current!.setPointerCapture(event.pointerId);
    if (event.button === 1 || panning?.peek()) {
      event.preventDefault();
      drag.current = { x: event.offsetX, y: event.offsetY };
    } else if (!missing.peek()) {
      tool?.down(at(event), event);
    }
  };
  const move = (event: PointerEvent) => {
    const from = drag.current;
    if (!from) return tool?.move(at(event), event);
    view.pan(event.offsetX - from.x, event.offsetY - from.y);
    drag.current = { x: event.offsetX, y: event.offsetY };
  };
  const up = (event: PointerEvent) => {
    if (drag.current) drag.current = null;
    else tool?.up(at(event), event);
  };

  const frame = work.player.frame.value;
  return (
    <div class="stage">
      <canvas
        ref={canvas}
        tabIndex={0}
        role="img"
        aria-label={`${label}, frame ${frame} of 0 to ${work.video.frames - 1}`}
        style={{ cursor: panning?.value ? 'grab' : (tool?.cursor() ?? 'default') }}
        onPointerDown={down}
        onPointerMove={move}
        onPointerUp={up}
        onPointerCancel={up}
        onPointerLeave={() => tool?.leave()}
        onDblClick={() => tool?.twice()}
        onContextMenu={(event) => event.preventDefault()}
      />
      {missing.value && (
        <p class="loading" role="status">
          {work.frames.failed(frame) ? `Frame ${frame} could not be loaded.` : `Loading frame ${frame} …`}
        </p>
      )}
    </div>
  );
}
