// Whether what was done is on the server's disk.

import { answering } from '../api/http.ts';
import type { Work } from './work.ts';

/** `modelling` says that the model works on a prompt. */
export function Saving({ work, modelling = false }: { work: Work; modelling?: boolean }) {
  const under = work.saving.value;
  const lost = !answering.value;
  const doing = lost ? 'Not saved: trying again …' : modelling ? 'The model is at work …' : 'Saving …';
  const done = lost ? 'No connection' : 'All saved';
  return (
    <span class={lost ? 'saving lost' : 'saving quiet'} role="status" data-saving={under}>
      {under > 0 ? doing : done}
    </span>
  );
}
