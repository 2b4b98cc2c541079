// Verification: a masklet is looped; the keyboard says what it is.

import { useComputed, useSignal, useSignalEffect } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';

import { tasks } from '../api/calls.ts';
import type { Masklet, Verdict } from '../api/types.ts';
import { Stage } from '../stage/stage.tsx';
import { Transport } from '../stage/transport.tsx';
import { View } from '../stage/view.ts';
import { report, tell } from '../state/notices.ts';
import { go } from '../state/route.ts';
import { Timeline } from '../timeline/timeline.tsx';
import { Help } from '../ui/help.tsx';
import { type Shortcut, listenToKeys } from '../ui/keys.ts';
import { Panel } from '../ui/notices.tsx';
import { RemarkDialog } from '../ui/remark.tsx';
import { useSpace } from '../ui/space.ts';
import { NotHeld, Opened } from '../work/opened.tsx';
import { tellParting } from '../work/parting.ts';
import { nearest } from '../work/entries.ts';
import { Saving } from '../work/saving.tsx';
import type { Work } from '../work/work.ts';

export function Verify({ task }: { task: number }) {
  return (
    <Opened task={task} to="verify">
      {(work) => <Player work={work} />}
    </Opened>
  );
}

const waits = (object: Masklet) => object.state === 'submitted';

/** Takes the next task in verification; the queue where there is none. */
async function goOn(): Promise<void> {
  const next = await tasks.next('verify');
  if (!next) tell('Everything is verified.');
  go(next ? { view: 'verify', task: next.id } : { view: 'queue' });
}

function Player({ work }: { work: Work }) {
  const { masklets, state } = work.task.value;
  const chosen = useSignal<number | null>(masklets.find(waits)?.id ?? masklets[0]?.id ?? null);
  const others = useSignal(false);
  const remarking = useSignal(false);
  const helping = useSignal(false);
  const object = useComputed(() => work.task.value.masklets.find(({ id }) => id === chosen.value));
  const view = useMemo(() => new View(work.video), [work]);
  const panning = useSpace(() => work.player.toggle());
  const able = work.held.value && state === 'verify' && object.value !== undefined && waits(object.value);

  // Only what is judged is shown, unless the others are asked for.
  useSignalEffect(() => {
    const hidden = work.task.value.masklets.filter(({ id }) => !others.value && id !== chosen.value);
    work.hidden.value = new Set(hidden.map(({ id }) => id));
  });
  useEffect(() => {
    const tracks = chosen.peek() === null ? [] : [work.entries.of(chosen.peek()!)];
    work.player.seek(nearest(tracks, -1, 1, ({ area }) => area > 0) ?? 0);
    work.player.play();
  }, [work, chosen.value]);

  const judge = async (verdict: Verdict, remark?: string) => {
    const judged = object.peek();
    if (!judged || !waits(judged) || !work.held.peek()) return;
    const milliseconds = work.clock.take();
    const said = { masklet: judged.id, verdict, milliseconds, ...(remark && { remark }) };
    const answer = await work.act((seen) => tasks.judge(work.task.peek().id, seen, said));
    if (!answer) return;
    const left = answer.task.masklets.find(waits);
    if (left) chosen.value = left.id;
    else {
      tellParting(`Task ${answer.task.id} was verified.`, answer, 'verify');
      await goOn().catch(report);
    }
  };
  const choose = (step: 1 | -1) => {
    const all = work.task.peek().masklets;
    const at = all.findIndex(({ id }) => id === chosen.peek());
    chosen.value = all[(at + step + all.length) % all.length]?.id ?? null;
  };
  const unsatisfactory = () => {
    if (object.peek() && waits(object.peek()!)) remarking.value = true;
  };

  const shortcuts = useMemo<Shortcut[]>(
    () => [
      { keys: ['S'], what: 'Satisfactory', run: () => void judge('satisfactory') },
      { keys: ['U'], what: 'Unsatisfactory, with a remark', run: unsatisfactory },
      { keys: ['R'], what: 'Reject: no well-defined object', run: () => void judge('reject') },
      { keys: ['Space'], what: 'Play or pause', run: () => work.player.toggle() },
      { keys: ['←'], what: 'Frame before', run: () => work.player.step(-1) },
      { keys: ['→'], what: 'Next frame', run: () => work.player.step(1) },
      { keys: ['↑'], what: 'Masklet before', run: () => choose(-1) },
      { keys: ['↓'], what: 'Next masklet', run: () => choose(1) },
      { keys: ['O'], what: 'Show the other masklets too', run: () => (others.value = !others.value) },
      { keys: ['Ctrl+Z'], what: 'Undo the last verdict', run: () => void work.takeBack.undo() },
      { keys: ['Ctrl+Shift+Z', 'Ctrl+Y'], what: 'Redo', run: () => void work.takeBack.redo() },
      { keys: ['0'], what: 'Show the whole frame', run: () => view.fit() },
      { keys: ['?'], what: 'This sheet', run: () => (helping.value = true) },
    ],
    [work],
  );
  useEffect(() => listenToKeys(() => shortcuts), [shortcuts]);

  return (
    <div
      class="editor verifier"
      onPointerMoveCapture={() => work.clock.touch()}
      onKeyDownCapture={() => work.clock.touch()}
    >
      <Stage work={work} view={view} panning={panning} label={`Video ${work.video.name}`} />
      <Panel>
        <section aria-label="Task" class="stack tight">
          <div>
            <h1 class="clip" title={work.video.name}>
              {work.video.name}
            </h1>
            <p class="quiet">
              Task {work.task.value.id} · {masklets.filter(waits).length} of {masklets.length} to be verified
            </p>
          </div>
          {object.value && (
            <p class="judged">
              <span class="swatch" style={{ background: `rgb(${object.value.colour.join(' ')})` }} />
              <strong>{object.value.name}</strong>
              <span class="tag">{object.value.state}</span>
            </p>
          )}
          {object.value?.remark && <p class="remark">Earlier remark: {object.value.remark}</p>}
          {!work.held.value && <NotHeld work={work} to="verify" />}
        </section>
        <section class="verdicts" aria-label="Verdict">
          <button class="good" disabled={!able} onClick={() => void judge('satisfactory')}>
            Satisfactory <kbd>S</kbd>
          </button>
          <button disabled={!able} onClick={unsatisfactory}>
            Unsatisfactory … <kbd>U</kbd>
          </button>
          <button class="bad" disabled={!able} onClick={() => void judge('reject')}>
            Reject <kbd>R</kbd>
          </button>
        </section>
        <section class="stack tight" aria-label="View">
          <label class="inline">
            <input
              type="checkbox"
              checked={others.value}
              onChange={(event) => (others.value = event.currentTarget.checked)}
            />
            Show the other masklets too
          </label>
          <div class="row">
            <button onClick={() => void work.takeBack.undo()}>Undo</button>
            <button onClick={() => (helping.value = true)}>
              Keyboard <kbd>?</kbd>
            </button>
            <button onClick={() => go({ view: 'queue' })}>Queue</button>
          </div>
        </section>
      </Panel>
      <div class="below">
        <Transport player={work.player}>
          <Saving work={work} />
        </Transport>
        <Timeline work={work} masklets={masklets} selected={chosen.value} select={(id) => (chosen.value = id)} />
      </div>
      {remarking.value && (
        <RemarkDialog
          title={`Unsatisfactory: ${object.value?.name ?? ''}`}
          label="What is to be repaired?"
          action="Send back"
          required
          close={() => (remarking.value = false)}
          send={(remark) => {
            remarking.value = false;
            void judge('unsatisfactory', remark);
          }}
        />
      )}
      {helping.value && <Help shortcuts={shortcuts} close={() => (helping.value = false)} />}
    </div>
  );
}
