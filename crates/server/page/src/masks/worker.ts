// Decodes and encodes masks beside the page, so that it never blocks.

import { type Colour, boundsOf, tint } from './overlay.ts';
import { type Bitmap, type Rle, decode, encode } from './rle.ts';

/** What the worker is asked. */
export type Job =
  { kind: 'overlay'; rle: Rle; colour: Colour } | { kind: 'decode'; rle: Rle } | { kind: 'encode'; mask: Bitmap };

/** A mask's picture and where it belongs; nothing for an empty mask. */
export type Overlay = { picture: ImageBitmap; x: number; y: number } | null;

/** The answer to a job of the same number. */
export type Answer = { id: number; value: Overlay | Bitmap | Rle } | { id: number; error: string };

async function answer(job: Job): Promise<[Overlay | Bitmap | Rle, Transferable[]]> {
  switch (job.kind) {
    case 'overlay': {
      const mask = decode(job.rle);
      const area = boundsOf(mask);
      if (!area) return [null, []];
      const picture = await createImageBitmap(tint(mask, job.colour, area));
      return [{ picture, x: area.x0, y: area.y0 }, [picture]];
    }
    case 'decode': {
      const mask = decode(job.rle);
      return [mask, [mask.data.buffer]];
    }
    case 'encode':
      return [encode(job.mask), []];
  }
}

addEventListener('message', (message: MessageEvent<Job & { id: number }>) => {
  const { id } = message.data;
  answer(message.data).then(
    ([value, transfer]) => postMessage({ id, value } satisfies Answer, { transfer }),
    (error: unknown) => postMessage({ id, error: String(error) } satisfies Answer),
  );
});
