// Import: files are sent one after the other, and decoded once by the server.

import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';

import { videos } from '../api/calls.ts';
import { listen } from '../api/live.ts';
import { report, tell } from '../state/notices.ts';
import { session } from '../state/session.ts';
import { size } from '../ui/format.ts';

interface Sending {
  name: string;
  sent: number;
  decoded: number;
  left: number;
}

/** `done` is called after each video. */
export function Import({ done }: { done: () => void }) {
  const sending = useSignal<Sending | null>(null);
  const over = useSignal(false);
  const input = useRef<HTMLInputElement>(null);
  useEffect(
    () =>
      listen((message) => {
        if (message.type === 'import' && sending.peek())
          sending.value = { ...sending.peek()!, decoded: message.frames };
      }),
    [],
  );

  const take = async (files: readonly File[]) => {
    if (sending.peek()) return;
    const limit = session.peek()?.limits.upload_bytes ?? Infinity;
    for (const [index, file] of files.entries()) {
      if (file.size > limit) {
        report(
          new Error(
            `${file.name} has ${size(file.size)}; up to ${size(limit)} are accepted. Import it from the command line.`,
          ),
        );
        continue;
      }
      const begun = { name: file.name, sent: 0, decoded: 0, left: files.length - index - 1 };
      sending.value = begun;
      try {
        const video = await videos.add(file, (sent) => (sending.value = { ...(sending.peek() ?? begun), sent }));
        tell(`${video.name} was imported: ${video.frames} frames.`);
        done();
      } catch (error) {
        report(error);
      }
    }
    sending.value = null;
  };

  const now = sending.value;
  return (
    <div
      class={over.value ? 'drop over' : 'drop'}
      onDragOver={(event) => {
        event.preventDefault();
        over.value = true;
      }}
      onDragLeave={() => (over.value = false)}
      onDrop={(event) => {
        event.preventDefault();
        over.value = false;
        void take([...(event.dataTransfer?.files ?? [])]);
      }}
    >
      {now ? (
        <p class="row" role="status">
          {now.sent < 1 ? (
            <>
              Sending {now.name} <progress value={now.sent} max={1} aria-label="Sent" />
            </>
          ) : (
            <>
              Looking through {now.name}: {now.decoded} frames
            </>
          )}
          {now.left > 0 && <span class="quiet">{now.left} more to come</span>}
        </p>
      ) : (
        <p>
          Drop video files here, or <button onClick={() => input.current!.click()}>choose files</button>
          <input
            ref={input}
            type="file"
            accept="video/*"
            multiple
            hidden
            onChange={(event) => {
              const files = [...(event.currentTarget.files ?? [])];
              event.currentTarget.value = '';
              void take(files);
            }}
          />
        </p>
      )}
    </div>
  );
}
