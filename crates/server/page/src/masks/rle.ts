// Masks as COCO's compressed run-length encoding: runs of absent and present pixels in turn, down
// the columns from the left, each as a difference to the run before the last, five bits a
// character (pycocotools, maskApi.c).

/** A mask as it is sent: COCO's compressed run-length encoding. */
export interface Rle {
  /** Height and width in pixels. */
  size: [number, number];
  counts: string;
}

/** A mask in memory: one byte a pixel, 0 or 1, row by row. */
export interface Bitmap {
  width: number;
  height: number;
  data: Uint8Array<ArrayBuffer>;
}

/** A mask without any pixel. */
export function emptyBitmap(width: number, height: number): Bitmap {
  return { width, height, data: new Uint8Array(width * height) };
}

/** The lengths of the runs, the first of absent pixels. */
export function runsOf(counts: string): number[] {
  const runs: number[] = [];
  let at = 0;
  while (at < counts.length) {
    let value = 0;
    let shift = 0;
    let more = true;
    while (more) {
      const bits = counts.charCodeAt(at++) - 48;
      if (!(bits >= 0 && bits < 64) || shift > 30) throw new Error(`a mask's runs are damaged at character ${at}`);
      value |= (bits & 31) << shift;
      shift += 5;
      more = (bits & 32) !== 0;
      if (!more && (bits & 16) !== 0 && shift < 32) value |= -1 << shift;
    }
    runs.push(runs.length > 2 ? value + runs[runs.length - 2]! : value);
  }
  return runs;
}

/** The text for runs. */
export function countsOf(runs: readonly number[]): string {
  let text = '';
  runs.forEach((run, index) => {
    let value = index > 2 ? run - runs[index - 2]! : run;
    let more = true;
    while (more) {
      const bits = value & 31;
      value >>= 5;
      more = (bits & 16) !== 0 ? value !== -1 : value !== 0;
      text += String.fromCharCode((more ? bits | 32 : bits) + 48);
    }
  });
  return text;
}

/** The pixels of a mask. */
export function decode({ size: [height, width], counts }: Rle): Bitmap {
  const bitmap = emptyBitmap(width, height);
  const pixels = width * height;
  let at = 0;
  runsOf(counts).forEach((run, index) => {
    if (run < 0 || at + run > pixels) throw new Error(`a mask's runs exceed its ${width}x${height} pixels`);
    if (index % 2 === 1) {
      let x = Math.floor(at / height);
      let y = at % height;
      for (let left = run; left > 0; left--) {
        bitmap.data[y * width + x] = 1;
        if (++y === height) {
          y = 0;
          x++;
        }
      }
    }
    at += run;
  });
  if (at !== pixels) throw new Error(`a mask's runs cover ${at} of ${pixels} pixels`);
  return bitmap;
}

/** The encoding of a mask: the same text as pycocotools writes. */
export function encode({ width, height, data }: Bitmap): Rle {
  const runs: number[] = [];
  let present = 0;
  let run = 0;
  for (let x = 0; x < width; x++) {
    for (let at = x; at < width * height; at += width) {
      if (data[at] !== present) {
        runs.push(run);
        run = 0;
        present = 1 - present;
      }
      run++;
    }
  }
  runs.push(run);
  return { size: [height, width], counts: countsOf(runs) };
}

/** How many pixels a mask has. */
export function areaOf(counts: string): number {
  return runsOf(counts).reduce((sum, run, index) => (index % 2 === 1 ? sum + run : sum), 0);
}
