// The editor's shortcuts.

import type { View } from '../stage/view.ts';
import type { Shortcut } from '../ui/keys.ts';
import { isTouched, nearest } from '../work/entries.ts';
import type { Editor } from './editor.ts';
import type { ToolName, Tools } from './tools.ts';

export const ZOOM = 1.3;

/** The next frame that somebody prompted or drew on, of the selected object or any. */
function seekTouched(editor: Editor, direction: 1 | -1): void {
  const { work, selected } = editor;
  const at = work.player.frame.peek();
  const masklets = selected.peek() === null ? work.entries.masklets() : [selected.peek()!];
  const tracks = masklets.map((masklet) => work.entries.of(masklet));
  const found = nearest(tracks, at, direction, isTouched);
  if (found !== undefined) work.player.step(found - at);
}

/** The next frame that is annotated at the task's rate. */
function seekAnnotated(editor: Editor, direction: 1 | -1): void {
  const { player, task } = editor.work;
  const { step } = task.peek();
  const at = player.frame.peek();
  player.step((direction > 0 ? Math.floor(at / step) + 1 : Math.ceil(at / step) - 1) * step - at);
}

/** Which objects are tracked: the one that is selected. */
export function propagate(editor: Editor, direction: 'forward' | 'backward'): void {
  const { work, object, open } = editor;
  const found = object.peek();
  if (found && open.peek() && work.task.peek().phase !== 1) work.propagation.start([found.id], direction);
}

function pauseOrResume({ work: { propagation } }: Editor): void {
  if (propagation.state.peek()?.state === 'paused') propagation.resume();
  else propagation.pause();
}

export function shortcutsOf(editor: Editor, tools: Tools, view: View, help: () => void): Shortcut[] {
  const { work, selected } = editor;
  const { player, propagation, takeBack } = work;
  const tool = (name: ToolName) => () => tools.choose(name);
  const move = (by: number) => (tools.byKeyboard.peek() ? tools.nudge(by, 0) : player.step(by));
  const vertical = (key: string) => {
    const by = key.endsWith('↑') ? -1 : 1;
    if (tools.byKeyboard.peek()) return tools.nudge(0, key.startsWith('Shift') ? by * 10 : by);
    const { masklets } = work.task.peek();
    nth((masklets.findIndex(({ id }) => id === selected.peek()) + by + masklets.length) % masklets.length);
  };
  const nth = (index: number) => {
    const object = work.task.peek().masklets[index];
    if (object) editor.select(object.id);
  };
  return [
    { keys: ['C'], what: 'Click tool', run: tool('click') },
    { keys: ['B'], what: 'Box tool', run: tool('box') },
    { keys: ['P'], what: 'Brush', run: tool('brush') },
    { keys: ['E'], what: 'Eraser', run: tool('eraser') },
    { keys: ['G'], what: 'Polygon', run: tool('polygon') },
    { keys: [',', '.'], what: 'Smaller, larger brush', run: (key) => tools.resize(key === '.' ? 1.25 : 0.8) },
    {
      keys: ['Enter'],
      what: 'Close the polygon: add',
      run: () => (tools.byKeyboard.peek() ? tools.press(false) : void tools.close(1)),
    },
    {
      keys: ['Shift+Enter'],
      what: 'Close the polygon: cut out',
      run: () => (tools.byKeyboard.peek() ? tools.press(true) : void tools.close(0)),
    },
    { keys: ['M'], what: 'Pointer by arrows, pressed by Enter', run: () => tools.toggleKeyboard() },
    {
      keys: ['Backspace'],
      what: 'Take the last click, box or corner away',
      run: () => void (tools.dropCorner() || editor.dropPrompt()),
    },
    { keys: ['Del'], what: 'Remove the mask on this frame', run: () => void editor.clear() },
    { keys: ['O'], what: 'The object is not to be seen here', run: () => void editor.absent() },
    { keys: ['Ctrl+Z'], what: 'Undo', run: () => void takeBack.undo() },
    { keys: ['Ctrl+Shift+Z', 'Ctrl+Y'], what: 'Redo', run: () => void takeBack.redo() },
    { keys: ['N'], what: 'New object', run: () => void editor.add() },
    { keys: [...'123456789'], shown: '1 … 9', what: 'Select an object', run: (key) => nth(Number(key) - 1) },
    { keys: ['H'], what: 'Hide or show the object', run: () => toggleHidden(editor) },
    { keys: ['←'], what: 'Frame before', run: () => move(-1) },
    { keys: ['→'], what: 'Next frame', run: () => move(1) },
    { keys: ['Shift+←'], what: 'Ten frames back', run: () => move(-10) },
    { keys: ['Shift+→'], what: 'Ten frames on', run: () => move(10) },
    {
      keys: ['↑', '↓', 'Shift+↑', 'Shift+↓'],
      shown: '↑ ↓',
      what: 'Object before, next object',
      run: (key) => vertical(key),
    },
    { keys: ['['], what: 'Annotated frame before (phase 1)', run: () => seekAnnotated(editor, -1) },
    { keys: [']'], what: 'Next annotated frame (phase 1)', run: () => seekAnnotated(editor, 1) },
    { keys: ['J'], what: 'Prompted or edited frame before', run: () => seekTouched(editor, -1) },
    { keys: ['L'], what: 'Next prompted or edited frame', run: () => seekTouched(editor, 1) },
    { keys: ['Home'], what: 'First frame', run: () => player.step(-player.count) },
    { keys: ['End'], what: 'Last frame', run: () => player.step(player.count) },
    { keys: ['F'], what: 'Track forwards', run: () => propagate(editor, 'forward') },
    { keys: ['V'], what: 'Track backwards', run: () => propagate(editor, 'backward') },
    { keys: ['K'], what: 'Pause tracking, or go on', run: () => pauseOrResume(editor) },
    { keys: ['Esc'], what: 'Drop the polygon; cancel tracking', run: () => tools.abandon() || propagation.cancel() },
    { keys: ['+'], what: 'Zoom in', run: () => view.zoom(ZOOM) },
    { keys: ['-'], what: 'Zoom out', run: () => view.zoom(1 / ZOOM) },
    { keys: ['0'], what: 'Show the whole frame', run: () => view.fit() },
    { keys: ['?'], what: 'This sheet', run: help },
  ];
}

export function toggleHidden(editor: Editor, masklet = editor.selected.peek()): void {
  if (masklet === null) return;
  const hidden = new Set(editor.work.hidden.peek());
  if (!hidden.delete(masklet)) hidden.add(masklet);
  editor.work.hidden.value = hidden;
}
