// Whether what was done is on the server's disk.

import { answering } from '../api/http.ts';
import type { Work } from './work.ts';

export function Saving({ work }: { work: Work }) {
  const under = work.saving.value;
  const text = !answering.value
    ? under > 0
      ? 'Not saved: trying again …'
      : 'No connection'
    : under > 0
      ? 'Saving …'
      : 'All saved';
  return (
    <span class={answering.value ? 'quiet saving' : 'saving lost'} role="status" data-saving={under}>
      {text}
    </span>
  );
}
