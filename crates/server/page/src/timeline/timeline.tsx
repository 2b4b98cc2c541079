// The timeline: a lane for each object, and the playhead.

import { useEffect, useRef } from 'preact/hooks';
import { type ReadonlySignal, useComputed, useSignal } from '@preact/signals';

import type { Masklet } from '../api/types.ts';
import { useInSight } from '../ui/insight.ts';
import type { Work } from '../work/work.ts';
import { OCCLUDED, VISIBLE, frameAt, laneOf, middleOf, ticks } from './lanes.ts';

const LANE = 22;

function Lane({ work, masklet, width }: { work: Work; masklet: Masklet; width: number }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const track = work.entries.of(masklet.id);
  const version = track.changed.value;
  useEffect(() => {
    const element = canvas.current!;
    const ratio = devicePixelRatio;
    element.width = Math.round(width * ratio);
    element.height = Math.round(LANE * ratio);
    const to = element.getContext('2d')!;
    to.scale(ratio, ratio);
    const lane = laneOf(track.frames.values(), work.video.frames, width);
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
  }, [track, version, width, masklet.colour.join(), work]);
  const seen = track.visible;
  const label = `${masklet.name}: visible on ${seen} of ${work.video.frames} frames, ${track.touched} prompted or edited`;
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

function Name({ masklet, chosen, choose }: { masklet: Masklet; chosen: boolean; choose: () => void }) {
  const button = useInSight<HTMLButtonElement>(chosen);
  return (
    <button ref={button} class="plain" aria-pressed={chosen} onClick={choose} title={masklet.name}>
      <span class="swatch" style={{ background: `rgb(${masklet.colour.join(' ')})` }} />
      <span class="clip">{masklet.name}</span>
    </button>
  );
}

/** A line at a frame. The lanes are not gone through when it moves. */
function Marker(props: { name: string; at: ReadonlySignal<number | undefined>; place: (at: number) => number }) {
  const at = props.at.value;
  return at === undefined ? null : <div class={props.name} style={{ left: `${props.place(at)}px` }} />;
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
  const computed = useComputed(() => work.propagation.state.value?.at);
  const marks = ticks(frames, Math.max(2, Math.floor(width.value / 70)));
  return (
    <section class="timeline" aria-label="Timeline">
      <div class="lane-names">
        <div class="corner quiet">{phase === 1 ? `every ${step} frames` : 'frame'}</div>
        {masklets.map((masklet) => (
          <Name key={masklet.id} masklet={masklet} chosen={masklet.id === selected} choose={() => select(masklet.id)} />
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
          aria-valuenow={player.frame}
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
        <Marker name="computed" at={computed} place={place} />
        <Marker name="playhead" at={player.frame} place={place} />
      </div>
    </section>
  );
}
