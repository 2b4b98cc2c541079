// Every view, at a laptop's size: nothing to scroll sideways, readable contrast, names for all that
// can be used, and a focus that is seen.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';

import type { Task } from '../../src/api/types.ts';
import { Server } from './server.ts';
import { SCREEN, Visitor, closeBrowser } from './visitor.ts';

let server: Server;
let ada: Visitor;
before(async () => {
  server = await Server.withClip(12);
  const { task } = await server.ask<{ task: Task }>('POST', '/api/tasks', { video: 1, masklets: [{ name: 'disk' }] });
  await server.ask('POST', `/api/tasks/${task.id}/claim`);
  ada = await Visitor.come(server);
});
after(async () => {
  await ada?.leave();
  await closeBrowser();
  await server?.end();
});

/** What is wrong with the contrast of texts (WCAG 2.1, 1.4.3), as the browser computes their colours. */
function poorContrasts(): string[] {
  type Rgba = [number, number, number, number];
  const parse = (text: string): Rgba => {
    const [r = 0, g = 0, b = 0, a = 1] = text.match(/[\d.]+/g)?.map(Number) ?? [];
    return [r, g, b, a];
  };
  const over = ([r, g, b, a]: Rgba, below: Rgba): Rgba => [
    r * a + below[0] * (1 - a),
    g * a + below[1] * (1 - a),
    b * a + below[2] * (1 - a),
    1,
  ];
  const ground = (element: Element | null): Rgba => {
    if (!element) return [0, 0, 0, 1];
    const own = parse(getComputedStyle(element).backgroundColor);
    return own[3] === 1 ? own : over(own, ground(element.parentElement));
  };
  const luminance = ([r, g, b]: Rgba) => {
    const [x, y, z] = [r, g, b].map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * x! + 0.7152 * y! + 0.0722 * z!;
  };
  const found: string[] = [];
  for (const element of document.querySelectorAll<HTMLElement>('body *')) {
    const text = [...element.childNodes]
      .filter((node) => node.nodeType === Node.TEXT_NODE)
      .map((node) => node.textContent?.trim())
      .join('');
    if (!text || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const below = ground(element);
    const colour = element instanceof SVGElement ? style.fill : style.color;
    const [one, other] = [luminance(over(parse(colour), below)), luminance(below)];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (ratio < 4.5) found.push(`${ratio.toFixed(2)}: ${text.slice(0, 40)}`);
  }
  return found;
}

/** What can be used and has no name. */
function nameless(): string[] {
  const usable = document.querySelectorAll<HTMLElement>(
    'button, a, input:not([hidden]), select, textarea, [role="slider"], canvas',
  );
  return [...usable]
    .filter((element) => {
      const labels = (element as HTMLInputElement).labels;
      const label = labels?.length ? [...labels].map((one) => one.textContent).join('') : '';
      return !(element.getAttribute('aria-label') || label || element.textContent || '').trim();
    })
    .map((element) => element.outerHTML.slice(0, 100));
}

/** Whether somebody who presses on the middle of it presses it. */
function isOnTop(element: Element): boolean {
  const { left, top, width, height } = element.getBoundingClientRect();
  return element.contains(document.elementFromPoint(left + width / 2, top + height / 2));
}

for (const [name, hash, ready] of [
  ['queue', '#/queue', 'Queue'],
  ['videos', '#/videos', 'Videos'],
  ['dashboard', '#/dashboard', 'Annotation by phase'],
  ['history', '#/history', 'History'],
  ['settings', '#/settings', 'Settings'],
  ['annotate', '#/annotate/1', 'Objects'],
  ['verify', '#/verify/1', 'disk'],
] as const) {
  test(`the view ${name} is readable and has no sideways scrolling`, async () => {
    await ada.page.goto(`${server.origin}/${hash}`);
    await ada.page.getByRole('heading', { name: ready }).first().waitFor();
    await ada.page.waitForLoadState('networkidle');
    const widths = await ada.page.evaluate(() => [
      document.documentElement.scrollWidth,
      document.querySelector('main')!.scrollWidth,
      innerWidth,
    ]);
    assert.ok(widths[0]! <= widths[2]! && widths[1]! <= widths[2]!, `${widths}`);
    assert.deepEqual(await ada.page.evaluate(poorContrasts), []);
    assert.deepEqual(await ada.page.evaluate(nameless), []);
  });
}

test('with many objects, what is selected and tracking are in sight, and what is told covers neither', async () => {
  const { task } = await server.ask<{ task: Task }>('POST', '/api/tasks', { video: 1 });
  await ada.open(task.id);
  for (let object = 0; object < 12; object++) await ada.keys('n');
  await ada.saved();
  // There is nothing of this object to track: the server says so.
  await ada.keys('f');
  await ada.page.locator('.notice').first().waitFor();
  for (const size of [SCREEN, { width: 1366, height: 768 }]) {
    await ada.page.setViewportSize(size);
    for (const key of ['1', '9']) {
      await ada.keys(key);
      const { name } = (await ada.task(task.id)).masklets[Number(key) - 1]!;
      const chosen = ada.page.locator('[aria-pressed="true"]', { hasText: new RegExp(`^${name}$`) });
      const usable = [
        ...(await chosen.all()),
        ada.page.getByRole('button', { name: 'Forwards' }),
        ada.page.getByRole('slider', { name: 'Frame' }),
      ];
      assert.equal(usable.length, 4, 'in the list and beside its lane');
      for (const one of usable) assert.equal(await one.evaluate(isOnTop), true, `${name}: ${await one.innerText()}`);
    }
  }
  await ada.page.setViewportSize(SCREEN);
});

test('the focus goes through the editor in the order of the page, and is seen', async () => {
  await ada.page.goto(`${server.origin}/#/annotate/1`);
  await ada.shows(0);
  await ada.page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
  const visited: string[] = [];
  for (let step = 0; step < 60; step++) {
    await ada.keys('Tab');
    const focused = await ada.page.evaluate(() => {
      const element = document.activeElement as HTMLElement;
      const area = element.closest('nav, .toolbar, .stage, .panel, .transport, .timeline');
      return { area: area?.className || area?.tagName || '', outline: getComputedStyle(element).outlineStyle };
    });
    if (focused.area === '') break;
    assert.notEqual(focused.outline, 'none', `${focused.area} shows its focus`);
    if (visited.at(-1) !== focused.area) visited.push(focused.area);
  }
  assert.deepEqual(visited, ['NAV', 'toolbar', 'stage', 'panel', 'transport', 'timeline']);
});

test('the program has the page that is built here', { skip: process.env.PAGE !== undefined }, async () => {
  const built = resolve(import.meta.dirname, '../../dist');
  for (const name of readdirSync(built)) {
    const served = await (await fetch(`${server.origin}/${name}`)).arrayBuffer();
    assert.ok(
      readFileSync(join(built, name)).equals(Buffer.from(served)),
      `${name} is an older one: build the program again`,
    );
  }
});

test('nothing is fetched from elsewhere, and no script or style is inline', async () => {
  const hosts = new Set<string>();
  ada.page.on('request', (request) => hosts.add(new URL(request.url()).host));
  const response = await ada.page.goto(`${server.origin}/`);
  await ada.page.waitForLoadState('networkidle');
  assert.deepEqual([...hosts], [new URL(server.origin).host]);
  const html = await response!.text();
  assert.doesNotMatch(html, /<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=/);
});
