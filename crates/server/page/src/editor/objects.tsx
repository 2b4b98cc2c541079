// The task's objects: colour, name, visibility; add, rename, remove.

import { useSignal } from '@preact/signals';

import type { Masklet, MaskletState } from '../api/types.ts';
import type { Colour } from '../masks/overlay.ts';
import { Icon } from '../ui/icons.tsx';
import { useInSight } from '../ui/insight.ts';
import type { Editor } from './editor.ts';
import { toggleHidden } from './shortcuts.ts';

const STATES: Record<MaskletState, [string, string]> = {
  open: ['', ''],
  submitted: ['to be verified', ''],
  satisfactory: ['satisfactory', 'good'],
  unsatisfactory: ['to be repaired', 'warn'],
  rejected: ['rejected', 'bad'],
};

const hex = (colour: Colour) => `#${colour.map((part) => part.toString(16).padStart(2, '0')).join('')}`;

const fromHex = (text: string): Colour => {
  const value = Number.parseInt(text.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
};

function ObjectRow({ editor, object }: { editor: Editor; object: Masklet }) {
  const renaming = useSignal(false);
  const { selected, work } = editor;
  const held = work.held.value;
  const hidden = work.hidden.value.has(object.id);
  const chosen = selected.value === object.id;
  const row = useInSight<HTMLLIElement>(chosen);
  const [state, kind] = STATES[object.state];
  const rename = (name: string) => {
    renaming.value = false;
    if (name.trim() && name !== object.name) void editor.edit(object.id, { name: name.trim() });
  };
  return (
    <li ref={row} class={chosen ? 'object selected' : 'object'}>
      <input
        type="color"
        value={hex(object.colour)}
        disabled={!held}
        aria-label={`Colour of ${object.name}`}
        onChange={(event) => void editor.edit(object.id, { colour: fromHex(event.currentTarget.value) })}
      />
      {renaming.value ? (
        <input
          type="text"
          value={object.name}
          aria-label={`New name of ${object.name}`}
          ref={(input) => input?.focus()}
          onBlur={(event) => rename(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === 'Enter') event.currentTarget.blur();
            if (event.key === 'Escape') renaming.value = false;
          }}
        />
      ) : (
        <button
          class="plain name"
          aria-pressed={chosen}
          title={held ? `${object.name} (double-click or F2 to rename)` : object.name}
          onClick={() => editor.select(object.id)}
          onDblClick={() => (renaming.value = held)}
          onKeyDown={(event) => event.key === 'F2' && (renaming.value = held)}
        >
          <span class="clip">{object.name}</span>
        </button>
      )}
      <button
        class="plain"
        aria-label={`${hidden ? 'Show' : 'Hide'} ${object.name}`}
        aria-pressed={hidden}
        onClick={() => toggleHidden(editor, object.id)}
      >
        <Icon name={hidden ? 'hidden' : 'eye'} />
      </button>
      <button
        class="plain"
        aria-label={`Remove ${object.name}`}
        disabled={!held}
        onClick={() => void editor.remove(object.id)}
      >
        <Icon name="remove" />
      </button>
      {state && (
        <div class="state stack tight">
          <span>
            <span class={`tag ${kind}`}>{state}</span>
          </span>
          {object.remark && <p class="remark">{object.remark}</p>}
        </div>
      )}
    </li>
  );
}

export function Objects({ editor }: { editor: Editor }) {
  const { masklets } = editor.work.task.value;
  return (
    <section aria-label="Objects" class="listing">
      <div class="row spread">
        <h2>Objects</h2>
        <button disabled={!editor.work.held.value} onClick={() => void editor.add()} title="New object (N)">
          <Icon name="plus" /> Add
        </button>
      </div>
      {masklets.length === 0 && (
        <p class="quiet">None yet. Click on something in the video: that makes the first one.</p>
      )}
      <ul class="objects">
        {masklets.map((object) => (
          <ObjectRow key={object.id} editor={editor} object={object} />
        ))}
      </ul>
    </section>
  );
}
