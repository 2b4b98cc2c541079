// Export of a data set, as an archive.

import { useSignal } from '@preact/signals';

import { type Export, exports } from '../api/calls.ts';
import { report } from '../state/notices.ts';
import { Dialog } from '../ui/dialog.tsx';
import { size } from '../ui/format.ts';

const FORMATS: [string, string][] = [
  ['sav', 'SA-V (training: JSON)'],
  ['sav-val', 'SA-V (validation: pictures)'],
  ['sav-test', 'SA-V (test: pictures)'],
  ['davis', 'DAVIS'],
  ['coco', 'COCO'],
  ['ytvis', 'YouTube-VIS'],
];

const PARTS: [string, string][] = [
  ['all', 'All videos'],
  ['training', 'Without those held out'],
  ['held-out', 'Only those held out'],
];

export function ExportForm({ close }: { close: () => void }) {
  const format = useSignal('sav');
  const part = useSignal('all');
  const writing = useSignal(false);
  const written = useSignal<Export | null>(null);
  const write = async (event: Event) => {
    event.preventDefault();
    writing.value = true;
    written.value = null;
    try {
      written.value = await exports.make(format.peek(), part.peek());
    } catch (error) {
      report(error);
    }
    writing.value = false;
  };
  const select = (label: string, options: [string, string][], value: typeof format) => (
    <label>
      {label}
      <select value={value.value} onChange={(event) => (value.value = event.currentTarget.value)}>
        {options.map(([name, text]) => (
          <option key={name} value={name}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
  return (
    <Dialog title="Export satisfactory masklets" close={close}>
      <form onSubmit={(event) => void write(event)}>
        {select('Format', FORMATS, format)}
        {select('Videos', PARTS, part)}
        <div class="row">
          <button class="primary" type="submit" disabled={writing.value}>
            {writing.value ? 'Writing …' : 'Write'}
          </button>
          {written.value && (
            <a class="button" href={exports.zip(written.value.id)} download>
              Download ({size(written.value.bytes)})
            </a>
          )}
        </div>
      </form>
    </Dialog>
  );
}
