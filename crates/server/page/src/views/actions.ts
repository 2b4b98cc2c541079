// The history's events in words.

import type { Event } from '../api/types.ts';

const plural = (count: unknown, one: string): string => `${count} ${one}${count === 1 ? '' : 's'}`;

export function describe({ action, way }: Event): string {
  const said = { ...action } as Record<string, unknown>;
  switch (action.kind) {
    case 'create-project':
      return `made the project “${said.name}”`;
    case 'change-settings':
      return `changed the settings: ${(said.changed as string[]).join(', ')}`;
    case 'add-user':
      return `added ${said.name} (${said.role})`;
    case 'change-user':
      return `made ${said.name} ${said.active ? said.role : 'inactive'}`;
    case 'use-model':
      return `uses the model ${said.name}`;
    case 'import-video':
      return `imported ${said.name} (${plural(said.frames, 'frame')}${said.masklets ? `, ${plural(said.masklets, 'masklet')}` : ''})`;
    case 'import-masklets':
      return `imported ${plural(said.masklets, 'masklet')} of ${said.video}`;
    case 'remove-video':
      return `removed ${said.name}`;
    case 'auto-masklets':
      return `found ${plural(said.masklets, 'masklet')} in ${said.video} with ${said.model}`;
    case 'create-task':
      return `made a task of ${said.video} in phase ${said.phase}`;
    case 'change-phase':
      return `switched to phase ${said.phase}`;
    case 'add-masklet':
      return `added ${said.name}`;
    case 'rename-masklet':
      return `changed the name or colour of ${said.name}`;
    case 'remove-masklet':
      return `removed masklet ${said.masklet}`;
    case 'annotate':
      return annotated(said);
    case 'erase':
      return `removed the masks of ${plural(said.frames, 'frame')} of masklet ${said.masklet}`;
    case 'submit':
      return `sent ${plural(said.masklets, 'masklet')} to verification`;
    case 'judge':
      return `judged masklet ${said.masklet}: ${said.verdict}${said.remark ? ` (“${said.remark}”)` : ''}`;
    case 'reopen':
      return `sent ${plural(said.masklets, 'masklet')} back to annotation`;
    case 'revert':
      return `${way === 'redo' ? 'redid' : way === 'undo' ? 'undid' : 'reverted'} event ${said.event}`;
    default:
      return action.kind;
  }
}

function annotated(said: Record<string, unknown>): string {
  const masklets = `masklet ${(said.masklets as number[]).join(', ')}`;
  if (said.edited === 0) return `tracked ${masklets} over ${plural(said.frames, 'frame')}`;
  const clicks = Number(said.clicks) > 0 ? ` with ${plural(said.clicks, 'click')}` : '';
  return `annotated ${masklets} on ${plural(said.frames, 'frame')}${clicks}`;
}
