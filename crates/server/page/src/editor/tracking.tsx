// Propagation: start, watch, pause, cancel.

import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';

import type { Direction } from '../api/types.ts';
import { Icon } from '../ui/icons.tsx';
import { isOpen, type Editor } from './editor.ts';

export function Tracking({ editor }: { editor: Editor }) {
  const all = useSignal(false);
  const until = useSignal<number | null>(null);
  const pressed = useRef(false);
  const { work } = editor;
  const { propagation, video, player } = work;
  const running = propagation.state.value;
  const { phase, masklets } = work.task.value;

  if (phase === 1) {
    return (
      <section aria-label="Tracking">
        <h2>Tracking</h2>
        <p class="quiet">Nothing is tracked in phase 1: annotate every frame that is marked on the timeline.</p>
      </section>
    );
  }

  const objects = masklets.filter((object) => isOpen(object) && (all.value || object.id === editor.selected.value));
  // The button that had the focus is gone then.
  const focus = (button: HTMLButtonElement | null) => {
    if (button && pressed.current) button.focus();
    pressed.current = false;
  };
  const able =
    work.held.value && objects.some(({ id }) => work.entries.of(id).frames.size > 0) && work.entries.changed.value >= 0;
  const start = (direction: Direction) => {
    pressed.current = true;
    const end = until.value;
    const frame = player.frame.peek();
    const fits = end !== null && (direction === 'forward' ? end > frame : end < frame);
    propagation.start(
      objects.map(({ id }) => id),
      direction,
      fits ? end : undefined,
    );
  };

  if (running) {
    const total = Math.abs(running.until - running.from) || 1;
    const done = Math.abs(running.at - running.from);
    const paused = running.state === 'paused';
    return (
      <section key="running" aria-label="Tracking" class="stack tight">
        <div class="row spread">
          <h2>Tracking {running.direction === 'forward' ? 'forwards' : 'backwards'}</h2>
          <progress value={done} max={total} aria-label="Frames tracked" />
        </div>
        <p role="status">
          {running.ahead > 0 && done === 0
            ? `Waiting: ${running.ahead} others are served in turn.`
            : `Frame ${running.at} of ${running.until}`}
          {paused && ' · paused'}
        </p>
        <div class="row">
          {paused ? (
            <button onClick={() => propagation.resume()}>Go on</button>
          ) : (
            <button ref={focus} aria-disabled={running.state !== 'running'} onClick={() => propagation.pause()}>
              Pause
            </button>
          )}
          <button disabled={running.state === 'ending'} onClick={() => propagation.cancel()}>
            Cancel
          </button>
        </div>
        <label class="inline">
          <input
            type="checkbox"
            checked={propagation.follow.value}
            onChange={(event) => (propagation.follow.value = event.currentTarget.checked)}
          />
          Show each frame as it comes
        </label>
      </section>
    );
  }

  return (
    <section key="idle" aria-label="Tracking" class="stack tight">
      <h2>Tracking</h2>
      <div class="row">
        <button disabled={!able} onClick={() => start('backward')} title="Track backwards (V)">
          <Icon name="back" /> Backwards
        </button>
        <button disabled={!able} class="primary" onClick={() => start('forward')} title="Track forwards (F)">
          Forwards <Icon name="forth" />
        </button>
      </div>
      <div class="row">
        <label class="inline">
          <input type="checkbox" checked={all.value} onChange={(event) => (all.value = event.currentTarget.checked)} />
          All objects
        </label>
        <label class="inline">
          until
          <input
            class="frame-number"
            type="number"
            min={0}
            max={video.frames - 1}
            placeholder="end"
            value={until.value ?? ''}
            onChange={(event) =>
              (until.value = Number.isNaN(event.currentTarget.valueAsNumber) ? null : event.currentTarget.valueAsNumber)
            }
          />
        </label>
      </div>
    </section>
  );
}
