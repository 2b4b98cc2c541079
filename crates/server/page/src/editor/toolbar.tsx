// The column of tools at the left of the stage.

import { type IconName, Icon } from '../ui/icons.tsx';
import type { View } from '../stage/view.ts';
import type { Editor } from './editor.ts';
import { ZOOM } from './shortcuts.ts';
import { LARGEST_BRUSH, SMALLEST_BRUSH, type ToolName, type Tools } from './tools.ts';

const TOOLS: [ToolName, string][] = [
  ['click', 'Click (C): left on the object, right beside it'],
  ['box', 'Box (B)'],
  ['brush', 'Brush (P)'],
  ['eraser', 'Eraser (E)'],
  ['polygon', 'Polygon (G)'],
];

interface Props {
  editor: Editor;
  tools: Tools;
  view: View;
  help: () => void;
}

export function Toolbar({ editor, tools, view, help }: Props) {
  const { takeBack } = editor.work;
  const held = editor.work.held.value;
  const name = tools.name.value;
  const button = (label: string, icon: IconName, act: () => void, disabled = false) => (
    <button class="plain" aria-label={label} title={label} disabled={disabled} onClick={act}>
      <Icon name={icon} />
    </button>
  );
  return (
    <div class="toolbar" role="toolbar" aria-label="Tools" aria-orientation="vertical">
      {TOOLS.map(([tool, label]) => (
        <button
          key={tool}
          class="plain"
          aria-label={label}
          title={label}
          aria-pressed={name === tool}
          disabled={!held}
          onClick={() => tools.choose(tool)}
        >
          <Icon name={tool} />
        </button>
      ))}
      {(name === 'brush' || name === 'eraser') && (
        <label class="size" title="Size of brush and eraser (comma and full stop)">
          <span class="hidden-text">Size in pixels</span>
          <input
            type="number"
            min={SMALLEST_BRUSH}
            max={LARGEST_BRUSH}
            value={tools.size.value}
            onChange={(event) =>
              (tools.size.value = Math.min(
                LARGEST_BRUSH,
                Math.max(SMALLEST_BRUSH, event.currentTarget.valueAsNumber || SMALLEST_BRUSH),
              ))
            }
          />
        </label>
      )}
      <hr />
      {button('Undo (Ctrl+Z)', 'undo', () => void takeBack.undo(), !held)}
      {button('Redo (Ctrl+Shift+Z)', 'redo', () => void takeBack.redo(), !held)}
      <hr />
      {button('Zoom in (+)', 'plus', () => view.zoom(ZOOM))}
      {button('Zoom out (-)', 'minus', () => view.zoom(1 / ZOOM))}
      {button('Whole frame (0)', 'fit', () => view.fit())}
      <hr />
      {button('Keyboard and mouse (?)', 'help', help)}
    </div>
  );
}
