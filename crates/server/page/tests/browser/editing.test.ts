// What is drawn, taken back and made again, with the pointer and without it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { paintLine } from '../../src/masks/paint.ts';
import { emptyBitmap } from '../../src/masks/rle.ts';
import { HEIGHT, WIDTH } from './clip.ts';
import { Server } from './server.ts';
import { Visitor, closeBrowser, pixelsOf, until } from './visitor.ts';

let server: Server;
let ada: Visitor;
before(async () => {
  server = await Server.withClip(12);
  ada = await Visitor.come(server);
});
after(async () => {
  await ada?.leave();
  await closeBrowser();
  await server?.end();
});

test('the first stroke of a new task is where it was drawn', async () => {
  const task = await server.newTask(3);
  await ada.open(task);
  await ada.keys('p');
  const [from, to] = [
    [60, 90],
    [140, 110],
  ] as const;
  await ada.drag([...from], [...to]);
  await ada.saved();
  const expected = emptyBitmap(WIDTH, HEIGHT);
  paintLine(expected, { x: from[0], y: from[1] }, { x: to[0], y: to[1] }, 20, 1);
  const drawn = await ada.mask(task, 0);
  const wrong = drawn.data.filter((value, at) => value !== expected.data[at]).length;
  assert.ok(wrong < 150, `${wrong} pixels of the stroke are wrong`);
});

test('undo and redo of every action', async () => {
  const task = await server.newTask(3);
  await ada.open(task);
  await ada.page.getByRole('button', { name: 'Add' }).click();
  await ada.saved();
  await ada.keys('p');
  await ada.drag([100, 60], [160, 60]);
  await ada.saved();
  await ada.drag([100, 120], [160, 120]);
  await ada.saved();
  const both = pixelsOf(await ada.mask(task, 0));

  await ada.keys('Control+z');
  await until('the second stroke is taken back', async () => pixelsOf(await ada.mask(task, 0)) < both);
  await ada.saved();
  await ada.keys('Control+z');
  await until('the first one too', async () => (await ada.entry(task, 0)) === undefined);
  await ada.saved();
  await ada.keys('Control+z');
  await until('the object too', async () => (await ada.task(task)).masklets.length === 0);
  await ada.saved();
  await ada.page.getByText('None yet.').waitFor();
  await ada.keys('Control+Shift+z', 'Control+Shift+z', 'Control+Shift+z');
  await until('all of it is back', async () => {
    const entry = await ada.entry(task, 0);
    return entry !== undefined && entry.area === both;
  });
  await ada.saved();

  // Names, colours, removed masks and removed objects.
  await ada.page.locator('.object .name').press('F2');
  await ada.page.getByLabel(/^New name of/).fill('disk');
  await ada.keys('Enter');
  await ada.saved();
  assert.equal((await ada.task(task)).masklets[0]?.name, 'disk');
  await ada.page.locator('.stage canvas').focus();
  await ada.keys('Delete');
  await ada.saved();
  assert.equal(await ada.entry(task, 0), undefined);
  await ada.keys('Control+z');
  await ada.saved();
  assert.equal((await ada.entry(task, 0))?.area, both);
  await ada.page.getByRole('button', { name: 'Remove disk' }).click();
  await ada.saved();
  assert.equal((await ada.task(task)).masklets.length, 0);
  await ada.keys('Control+z');
  await ada.saved();
  assert.equal((await ada.entry(task, 0))?.area, both);
});

test('points are exact while the video is zoomed and panned', async () => {
  const task = await server.newTask(3);
  await ada.open(task);
  const at = await ada.at(100, 90);
  await ada.page.mouse.move(at.x, at.y);
  await ada.page.mouse.wheel(0, -1000);
  await ada.page.mouse.click(at.x, at.y);
  await ada.saved();
  // Held, the space bar lets the pointer pan.
  await ada.page.keyboard.down('Space');
  await ada.page.mouse.down();
  await ada.page.mouse.move(at.x + 90, at.y - 40, { steps: 4 });
  await ada.page.mouse.up();
  await ada.page.keyboard.up('Space');
  await ada.page.mouse.click(at.x + 90, at.y - 40);
  await ada.saved();
  const prompts = (await ada.entry(task, 0))?.prompts ?? [];
  assert.equal(prompts.length, 2, 'panning is no click');
  for (const prompt of prompts) {
    assert.ok(prompt.kind === 'click' && Math.hypot(prompt.x - 100, prompt.y - 90) < 0.5, JSON.stringify(prompt));
  }
  await ada.shot('annotate-zoomed');
  await ada.keys('0');
});

test('objects are added, chosen, hidden and coloured', async () => {
  const task = await server.newTask(3);
  await ada.open(task);
  await ada.keys('n', 'n', 'p');
  await ada.saved();
  await ada.drag([60, 50], [100, 50]);
  await ada.saved();
  await ada.keys('1');
  await ada.drag([60, 130], [100, 130]);
  await ada.saved();
  assert.equal((await ada.mask(task, 0, 0)).data[130 * WIDTH + 80], 1);
  assert.equal((await ada.mask(task, 0, 1)).data[50 * WIDTH + 80], 1);

  const shown = () => ada.page.locator('.stage canvas').screenshot();
  const both = await shown();
  await ada.keys('h');
  await ada.page.getByRole('button', { name: /^Show / }).waitFor();
  await until('it is hidden', async () => !both.equals(await shown()));
  await ada.keys('h');
  await until('it is shown again', async () => both.equals(await shown()));

  await ada.page
    .getByLabel(/^Colour of/)
    .first()
    .fill('#ff0000');
  await ada.saved();
  await until('it has another colour', async () => `${(await ada.task(task)).masklets[0]?.colour}` === '255,0,0');
  await ada.shot('annotate-objects');

  // Both are tracked together.
  await ada.page.getByLabel('All objects').check();
  await ada.page.getByRole('button', { name: 'Forwards' }).click();
  await ada.page.getByText(/^\d+ frames tracked\.$/).waitFor();
  assert.equal((await ada.entries(task, 0)).length, 12);
  assert.equal((await ada.entries(task, 1)).length, 12);
});

test('the keyboard alone does it', async () => {
  const task = await server.newTask(3);
  await ada.open(task);
  await ada.keys('m', 'Shift+ArrowLeft', 'ArrowUp', 'Enter');
  await ada.saved();
  const [click] = (await ada.entry(task, 0))?.prompts ?? [];
  assert.deepEqual(click, { kind: 'click', x: WIDTH / 2 - 10, y: HEIGHT / 2 - 1, positive: true });
  await ada.keys('Shift+Enter', 'm');
  await ada.saved();
  assert.equal((await ada.entry(task, 0))?.prompts.length, 2);
  await ada.keys('?');
  await ada.page.getByRole('dialog', { name: 'Keyboard and mouse' }).waitFor();
  await ada.shot('help');
  await ada.keys('Escape');
});
