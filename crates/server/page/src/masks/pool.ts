// The page's side of the worker.

import type { Colour } from './overlay.ts';
import type { Bitmap, Rle } from './rle.ts';
import type { Answer, Job, Overlay } from './worker.ts';

export type { Overlay } from './worker.ts';

const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'masks' });
const waiting = new Map<number, (answer: Answer) => void>();
let jobs = 0;

worker.addEventListener('message', (message: MessageEvent<Answer>) => {
  const { id } = message.data;
  waiting.get(id)?.(message.data);
  waiting.delete(id);
});

// It ends only if it cannot be loaded: nothing that waits for it would come.
worker.addEventListener('error', (event) => {
  waiting.forEach((answer, id) =>
    answer({ id, error: `masks cannot be decoded: ${event.message || 'load the page again'}` }),
  );
  waiting.clear();
});

function ask<T>(job: Job, transfer: Transferable[] = []): Promise<T> {
  const id = jobs++;
  return new Promise((resolve, reject) => {
    waiting.set(id, (answer) => {
      if ('error' in answer) reject(new Error(answer.error));
      else resolve(answer.value as T);
    });
    worker.postMessage({ id, ...job }, transfer);
  });
}

export const overlayOf = (rle: Rle, colour: Colour): Promise<Overlay> => ask({ kind: 'overlay', rle, colour });

export const decoded = (rle: Rle): Promise<Bitmap> => ask({ kind: 'decode', rle });

export const encoded = (mask: Bitmap): Promise<Rle> => ask({ kind: 'encode', mask });
