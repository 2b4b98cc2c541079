// A clip made here: a bright disk that moves over a striped ground, as a folder of PNG files.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';

export const WIDTH = 320;
export const HEIGHT = 180;
export const RADIUS = 26;

/** The disk's middle on a frame. */
export const diskAt = (frame: number) => ({ x: 60 + 2 * (frame % 100), y: 90 + 20 * Math.sin(frame / 8) });

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(data.length, 0);
  body.copy(framed, 4);
  framed.writeUInt32BE(crc32(body), body.length + 4);
  return framed;
}

function png(frame: number): Buffer {
  const { x: cx, y: cy } = diskAt(frame);
  const rows = Buffer.alloc(HEIGHT * (1 + WIDTH * 3));
  for (let y = 0, at = 0; y < HEIGHT; y++) {
    rows[at++] = 0;
    for (let x = 0; x < WIDTH; x++) {
      const inside = (x + 0.5 - cx) ** 2 + (y + 0.5 - cy) ** 2 < RADIUS ** 2;
      const ground = (x >> 4) % 2 ? 70 : 90;
      rows[at++] = inside ? 240 : ground;
      rows[at++] = inside ? 190 : ground + 10;
      rows[at++] = inside ? 60 : ground + 30;
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(WIDTH, 0);
  header.writeUInt32BE(HEIGHT, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** Writes the frames of a clip into a new folder. */
export function writeClip(folder: string, frames: number): string {
  mkdirSync(folder, { recursive: true });
  for (let frame = 0; frame < frames; frame++) {
    writeFileSync(join(folder, `${String(frame).padStart(5, '0')}.png`), png(frame));
  }
  return folder;
}
