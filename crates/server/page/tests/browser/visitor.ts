// Somebody at the page: what the tests do there, and what they look at.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { type Browser, type BrowserContext, type Page, chromium } from 'playwright-core';

import type { FrameEntry, MaskOn, MaskletFrames, Task } from '../../src/api/types.ts';
import { decode, type Bitmap } from '../../src/masks/rle.ts';
import { HEIGHT, WIDTH } from './clip.ts';
import type { Server } from './server.ts';

const SHOTS = resolve(import.meta.dirname, '../screenshots');
/** A laptop's. */
export const SCREEN = { width: 1280, height: 720 };

/** A page that no server sent may open WebSockets of this machine. */
const ANY_ORIGIN = '--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets';

let browser: Promise<Browser> | null = null;

export async function closeBrowser(): Promise<void> {
  await (await browser)?.close();
  browser = null;
}

/** Takes the page from a folder instead of the program, to work on it without building that. */
async function serveFrom(folder: string, origin: string, context: BrowserContext): Promise<void> {
  await context.route(new RegExp(`^${origin}/(?!api/)`), (route) => {
    const { pathname } = new URL(route.request().url());
    return route.fulfill({ path: join(folder, pathname === '/' ? 'index.html' : pathname) });
  });
}

export class Visitor {
  readonly server: Server;
  readonly page: Page;
  readonly context: BrowserContext;
  /** What the browser complained about. */
  readonly complaints: string[] = [];

  private constructor(server: Server, context: BrowserContext, page: Page) {
    this.server = server;
    this.context = context;
    this.page = page;
    page.on('pageerror', (error) => this.complaints.push(error.message));
    page.on('console', (message) => {
      // What the server refuses, and its absence, are noted by the browser as well; the tests look
      // at what the page makes of them.
      const expected = /Failed to load resource|WebSocket connection|ERR_CONNECTION/.test(message.text());
      if (message.type() === 'error' && !expected) this.complaints.push(message.text());
    });
    page.setDefaultTimeout(60_000);
  }

  /** Opens the page as somebody. */
  static async come(server: Server, token = server.token): Promise<Visitor> {
    browser ??= chromium.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-dev-shm-usage', ...(process.env.PAGE ? [ANY_ORIGIN] : [])],
    });
    const context = await (await browser).newContext({ viewport: SCREEN, acceptDownloads: true });
    // Functions that are run in the page are compiled with calls of this one around them.
    await context.addInitScript('globalThis.__name = (value) => value');
    if (process.env.PAGE) await serveFrom(process.env.PAGE, server.origin, context);
    const visitor = new Visitor(server, context, await context.newPage());
    await visitor.page.goto(server.address(token));
    await visitor.page.getByRole('navigation', { name: 'Views' }).waitFor();
    return visitor;
  }

  async leave(): Promise<void> {
    await this.context.close();
    assert.deepEqual(this.complaints, []);
  }

  async view(name: string): Promise<void> {
    await this.page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name }).click();
  }

  /** A picture for people to look at. */
  async shot(name: string): Promise<void> {
    mkdirSync(SHOTS, { recursive: true });
    await this.page.screenshot({ path: `${SHOTS}/${name}.png` });
  }

  /** Opens a task in the editor. */
  async open(task: number): Promise<void> {
    await this.page.goto(`${this.server.origin}/#/annotate/${task}`);
    await this.shows(0);
  }

  /** Waits until a frame is on the stage. */
  async shows(frame: number): Promise<void> {
    await this.page.locator(`.stage canvas[data-frame="${frame}"]`).waitFor();
  }

  /** Waits until everything that was done is on the server's disk. */
  async saved(): Promise<void> {
    // What was done last is on the page by then.
    await this.page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
    await this.page.locator('[data-saving="0"]', { hasText: 'All saved' }).waitFor();
  }

  /** Where a point of the video is on the screen, while the whole frame is shown. */
  async at(x: number, y: number): Promise<{ x: number; y: number }> {
    const box = (await this.page.locator('.stage canvas').boundingBox())!;
    const scale = Math.min(box.width / WIDTH, box.height / HEIGHT);
    return {
      x: box.x + (box.width - scale * WIDTH) / 2 + scale * x,
      y: box.y + (box.height - scale * HEIGHT) / 2 + scale * y,
    };
  }

  async click(x: number, y: number, button: 'left' | 'right' = 'left'): Promise<void> {
    const at = await this.at(x, y);
    await this.page.mouse.click(at.x, at.y, { button });
  }

  async drag(from: [number, number], to: [number, number]): Promise<void> {
    const [start, end] = [await this.at(...from), await this.at(...to)];
    await this.page.mouse.move(start.x, start.y);
    await this.page.mouse.down();
    await this.page.mouse.move(end.x, end.y, { steps: 6 });
    await this.page.mouse.up();
  }

  async keys(...keys: string[]): Promise<void> {
    for (const key of keys) await this.page.keyboard.press(key);
  }

  /** Closes what the page says went wrong. */
  async dismiss(): Promise<void> {
    await this.page.locator('.notice.bad').getByRole('button', { name: 'Dismiss' }).click();
  }

  // What is on the server's disk.

  task(task: number): Promise<Task> {
    return this.server.ask('GET', `/api/tasks/${task}`);
  }

  async entries(task: number, object = 0): Promise<FrameEntry[]> {
    const all = await this.server.ask<{ masklets: MaskletFrames[] }>('GET', `/api/tasks/${task}/frames`);
    const { masklets } = await this.task(task);
    return all.masklets.find(({ masklet }) => masklet === masklets[object]?.id)?.frames ?? [];
  }

  async entry(task: number, frame: number, object = 0): Promise<FrameEntry | undefined> {
    return (await this.entries(task, object)).find((entry) => entry.frame === frame);
  }

  async mask(task: number, frame: number, object = 0): Promise<Bitmap> {
    const { masklets } = await this.task(task);
    const { masks } = await this.server.ask<{ masks: MaskOn[] }>(
      'GET',
      `/api/tasks/${task}/masks?from=${frame}&to=${frame}`,
    );
    const found = masks.find(({ masklet }) => masklet === masklets[object]?.id);
    assert.ok(found, `there is no mask on frame ${frame}`);
    return decode(found.mask);
  }
}

/** How many pixels a mask has. */
export const pixelsOf = ({ data }: Bitmap): number => data.reduce((sum, value) => sum + value, 0);

/** Waits until something holds. */
export async function until(what: string, holds: () => Promise<boolean>, seconds = 60): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (!(await holds())) {
    assert.ok(Date.now() < end, `it did not come to this: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
