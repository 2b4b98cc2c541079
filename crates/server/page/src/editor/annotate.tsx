// The editor.

import { useComputed, useSignal, useSignalEffect } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';

import { tasks } from '../api/calls.ts';
import { Stage } from '../stage/stage.tsx';
import { Transport } from '../stage/transport.tsx';
import { View } from '../stage/view.ts';
import { report } from '../state/notices.ts';
import { go } from '../state/route.ts';
import { Timeline } from '../timeline/timeline.tsx';
import { Help } from '../ui/help.tsx';
import { listenToKeys } from '../ui/keys.ts';
import { Panel } from '../ui/notices.tsx';
import { PhaseChoice } from '../ui/phases.tsx';
import { useSpace } from '../ui/space.ts';
import { NotHeld, Opened } from '../work/opened.tsx';
import { tellParting } from '../work/parting.ts';
import { Saving } from '../work/saving.tsx';
import type { Work } from '../work/work.ts';
import { Editor } from './editor.ts';
import { Objects } from './objects.tsx';
import { shortcutsOf } from './shortcuts.ts';
import { Toolbar } from './toolbar.tsx';
import { Tools } from './tools.ts';
import { Tracking } from './tracking.tsx';

/** How long a frame is looked at before the server encodes it. */
const PREPARE_AFTER = 150;

export function Annotate({ task }: { task: number }) {
  return (
    <Opened task={task} to="annotate">
      {(work) => <Workplace work={work} />}
    </Opened>
  );
}

function Workplace({ work }: { work: Work }) {
  const [editor, tools, view] = useMemo(() => {
    const made = new Editor(work);
    return [made, new Tools(made), new View(work.video)] as const;
  }, [work]);
  const helping = useSignal(false);
  const panning = useSpace(() => work.player.toggle());
  const shortcuts = useMemo(() => shortcutsOf(editor, tools, view, () => (helping.value = true)), [editor]);
  const masklets = useComputed(() => work.task.value.masklets);

  useEffect(() => listenToKeys(() => shortcuts), [shortcuts]);
  // Not by what is rendered: that would go through the whole page for each frame that is played.
  useSignalEffect(() => {
    void work.player.frame.value;
    if (work.player.playing.value || work.propagation.state.value !== null) return undefined;
    const timer = setTimeout(() => editor.prepare(), PREPARE_AFTER);
    return () => clearTimeout(timer);
  });

  return (
    <div class="editor" onPointerDownCapture={() => work.clock.touch()} onPointerMoveCapture={() => work.clock.touch()}>
      <Toolbar editor={editor} tools={tools} view={view} help={() => (helping.value = true)} />
      <Stage work={work} view={view} tool={tools} panning={panning} label={`Video ${work.video.name}`} />
      <Panel>
        <TaskCard editor={editor} />
        <Objects editor={editor} />
        <Tracking editor={editor} />
      </Panel>
      <div class="below">
        <Transport player={work.player}>
          <Saving work={work} modelling={editor.pending.value.length > 0} />
        </Transport>
        <Timeline
          work={work}
          masklets={masklets.value}
          selected={editor.selected.value}
          select={(id) => editor.select(id)}
        />
      </div>
      {helping.value && (
        <Help shortcuts={shortcuts} close={() => (helping.value = false)}>
          <p class="quiet">
            Left button: on the object. Right button or Shift: beside it; with the brush, erase. Wheel: zoom. Middle
            button, or Space held: pan; Space alone plays. Circles on the timeline are prompts, squares are edits, a
            band is a visible and a line an occluded object. M lets the keyboard do what the pointer does.
          </p>
        </Help>
      )}
    </div>
  );
}

function TaskCard({ editor }: { editor: Editor }) {
  const { work } = editor;
  const { id, phase, state, video_name: video } = work.task.value;
  const held = work.held.value;
  const submit = async () => {
    const submitted = await editor.submit();
    if (!submitted) return;
    tellParting(`Task ${id} was sent to verification.`, submitted, 'annotate');
    go({ view: 'queue' });
  };
  const release = async () => {
    try {
      await tasks.release(id);
      go({ view: 'queue' });
    } catch (error) {
      report(error);
    }
  };
  return (
    <section aria-label="Task" class="stack tight">
      <div>
        <h1 class="clip" title={video}>
          {video}
        </h1>
        <p class="quiet">
          Task {id} · {state === 'annotate' ? 'annotation' : state === 'verify' ? 'in verification' : 'done'}
        </p>
      </div>
      {held ? (
        <>
          <PhaseChoice label="Phase" value={phase} choose={(chosen) => void editor.switchPhase(chosen)} />
          <div class="row">
            <button class="good" disabled={work.task.value.masklets.length === 0} onClick={() => void submit()}>
              Send to verification
            </button>
            <button onClick={() => void release()}>Give back</button>
          </div>
        </>
      ) : (
        <NotHeld work={work} to="annotate" />
      )}
    </section>
  );
}
