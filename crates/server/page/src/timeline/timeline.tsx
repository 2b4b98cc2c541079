// The timeline: a lane for each object, and the playhead.

import { useEffect, useRef } from 'preact/hooks';
import { useSignal } from '@preact/signals';

import type { Masklet } from '../api/types.ts';
import type { Work } from '../work/work.ts';
import { OCCLUDED, VISIBLE, frameAt, laneOf, middleOf, ticks, touched } from './lanes.ts';

const LANE = 22;

function Lane({ work, masklet, width }: { work: Work; masklet: Masklet; width: number }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const entries = work.entries.of(masklet.id);
  const version = work.entries.changed.value;
  useEffect(() => {
    const element = canvas.current!;
    const ratio = devicePixelRatio;
    element.width = Math.round(width * ratio);
    element.height = Math.round(LANE * ratio);
    const to = element.getContext('2d')!;
    to.scale(ratio, ratio);
    const lane = laneOf(entries.values(), work.video.frames, width);
    to.fillStyle = `rgb(${masklet.colour.join(' ')})`;
    lane.columns.forEach((known, x) => {
      if (known === VISIBLE) to.fillRect(x, 5, 1, LANE - 10);
      if (known === OCCLUDED) to.fillRect(x, LANE / 2 - 1, 1, 2);
    });
    to.strokeStyle = '#000';
    to.fillStyle = '#fff';
    for (const x of lane.prompted) {
      to.beginPath();
      to.arc(x, LANE / 2, 4, 0, 2 * Math.PI);
      to.fill();
      to.stroke();
    }
    for (const x of lane.edited) {
      to.fillRect(x - 3.5, LANE / 2 - 3.5, 7, 7);
      to.strokeRect(x - 3.5, LANE / 2 - 3.5, 7, 7);
    }
  }, [entries, version, width, masklet.colour.join(), work]);
  const seen = [...entries.values()].filter((entry) => entry.area > 0).length;
  const label = `${masklet.name}: visible on ${seen} of ${work.video.frames} frames, ${touched(entries.values()).length} prompted or edited`;
  return (
    <canvas
      ref={canvas}
      role="img"
      aria-label={label}
      data-visible={seen}
      style={{ width: `${width}px`, height: `${LANE}px` }}
    />
  );
}

interface Props {
  work: Work;
  masklets: readonly Masklet[];
  selected: number | null;
  select: (masklet: number) => void;
}

export function Timeline({ work, masklets, selected, select }: Props) {
  const track = useRef<HTMLDivElement>(null);
  const width = useSignal(600);
  useEffect(() => {
    const size = new ResizeObserver(([entry]) => (width.value = Math.max(50, Math.floor(entry!.contentRect.width))));
    size.observe(track.current!);
    return () => size.disconnect();
  }, []);

  const { player } = work;
  const frame = player.frame.value;
  const { frames } = work.video;
  const { phase, step } = work.task.value;
  const place = (at: number) => middleOf(at, frames, width.value);
  const seek = (event: PointerEvent) => {
    if (event.buttons !== 1) return;
    const element = event.currentTarget as HTMLElement;
    if (event.type === 'pointerdown') element.setPointerCapture(event.pointerId);
    player.pause();
    player.seek(frameAt(event.clientX - element.getBoundingClientRect().left, frames, width.value));
  };
  const propagation = work.propagation.state.value;
  const marks = ticks(frames, Math.max(2, Math.floor(width.value / 70)));
  return (
    <section class="timeline" aria-label="Timeline">
      <div class="lane-names">
        <div class="corner quiet">{phase === 1 ? `every ${step} frames` : 'frame'}</div>
        {masklets.map((masklet) => (
          <button
            key={masklet.id}
            class="plain"
            aria-pressed={masklet.id === selected}
            onClick={() => select(masklet.id)}
            title={masklet.name}
          >
            <span class="swatch" style={{ background: `rgb(${masklet.colour.join(' ')})` }} />
            <span class="clip">{masklet.name}</span>
          </button>
        ))}
      </div>
      <div class="lanes" ref={track} onPointerDown={seek} onPointerMove={seek}>
        <div
          class="ruler"
          role="slider"
          tabIndex={0}
          aria-label="Frame"
          aria-valuemin={0}
          aria-valuemax={frames - 1}
          aria-valuenow={frame}
        >
          {phase === 1 &&
            (width.value / frames) * step >= 4 &&
            Array.from({ length: Math.ceil(frames / step) }, (_, index) => (
              <i key={index} style={{ left: `${place(index * step)}px` }} />
            ))}
          {marks.map((mark) => (
            <span key={mark} style={{ left: `${place(mark)}px` }}>
              {mark}
            </span>
          ))}
        </div>
        {masklets.map((masklet) => (
          <Lane key={masklet.id} work={work} masklet={masklet} width={width.value} />
        ))}
        {propagation && <div class="computed" style={{ left: `${place(propagation.at)}px` }} />}
        <div class="playhead" style={{ left: `${place(frame)}px` }} />
      </div>
    </section>
  );
}
