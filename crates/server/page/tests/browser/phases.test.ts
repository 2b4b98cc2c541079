// The three phases in the editor. What the tests compare is what the server has on its disk.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import type { Task } from '../../src/api/types.ts';
import { fillPolygon, paintLine } from '../../src/masks/paint.ts';
import { type Bitmap, emptyBitmap } from '../../src/masks/rle.ts';
import { HEIGHT, RADIUS, WIDTH, diskAt } from './clip.ts';
import { Server } from './server.ts';
import { Visitor, closeBrowser, until } from './visitor.ts';

const FRAMES = 60;

let server: Server;
let ada: Visitor;
before(async () => {
  server = await Server.withClip(FRAMES);
  ada = await Visitor.come(server);
});
after(async () => {
  await ada?.leave();
  await closeBrowser();
  await server?.end();
});

const areaOf = ({ data }: Bitmap) => data.reduce((sum, value) => sum + value, 0);

async function newTask(phase: number): Promise<number> {
  const { task } = await server.ask<{ task: Task }>('POST', '/api/tasks', { video: 1, phase });
  return task.id;
}

test('the token is not left in the address', async () => {
  assert.ok(!ada.page.url().includes('token'), ada.page.url());
});

test('phase 1: clicks, a box, brush, eraser and polygon on single frames, and no tracking', async () => {
  const task = await newTask(1);
  await ada.open(task);
  await ada.page.getByText('Nothing is tracked in phase 1').waitFor();
  const disk = diskAt(0);

  await ada.click(disk.x, disk.y);
  await ada.saved();
  await ada.click(disk.x + 80, disk.y, 'right');
  await ada.saved();
  const clicked = await ada.entry(task, 0);
  assert.deepEqual(clicked?.prompts.map((prompt) => prompt.kind === 'click' && prompt.positive), [true, false]);
  const [first] = clicked!.prompts;
  assert.ok(first?.kind === 'click' && Math.hypot(first.x - disk.x, first.y - disk.y) < 1, JSON.stringify(first));
  assert.equal((await ada.task(task)).masklets.length, 1, 'the first click makes the first object');
  await ada.shot('annotate-phase-1');

  // The next frame at the annotation rate.
  const { step } = await ada.task(task);
  await ada.keys(']');
  await ada.shows(step);
  await ada.keys('b');
  await ada.drag([disk.x - RADIUS, disk.y - RADIUS], [disk.x + RADIUS, disk.y + RADIUS]);
  await ada.saved();
  assert.deepEqual((await ada.entry(task, step))?.prompts.map((prompt) => prompt.kind), ['box']);

  await ada.keys(']', 'p');
  await ada.shows(2 * step);
  await ada.drag([100, 60], [160, 60]);
  await ada.saved();
  const painted = await ada.mask(task, 2 * step);
  assert.ok(Math.abs(areaOf(painted) - (60 * 20 + Math.PI * 100)) < 60, `${areaOf(painted)} pixels were painted`);
  assert.equal(painted.data[60 * WIDTH + 130], 1);
  assert.equal((await ada.entry(task, 2 * step))?.edited, true);

  await ada.keys('e');
  await ada.drag([130, 40], [130, 80]);
  await ada.saved();
  const erased = await ada.mask(task, 2 * step);
  assert.equal(erased.data[60 * WIDTH + 130], 0);
  assert.equal(erased.data[60 * WIDTH + 105], 1);

  await ada.keys(']', 'g');
  await ada.shows(3 * step);
  const corners = [[40, 30], [200, 50], [120, 150]] as const;
  for (const [x, y] of corners) await ada.click(x, y);
  await ada.shot('annotate-polygon');
  await ada.keys('Enter');
  await ada.saved();
  const expected = emptyBitmap(WIDTH, HEIGHT);
  fillPolygon(expected, corners.map(([x, y]) => ({ x, y })), 1);
  const drawn = await ada.mask(task, 3 * step);
  const wrong = drawn.data.filter((value, at) => value !== expected.data[at]).length;
  // The mouse is in whole pixels of the screen, which are smaller than the video's.
  assert.ok(wrong < 300, `${wrong} pixels of the polygon are wrong`);
});

test('the first stroke of a new task is where it was drawn', async () => {
  const task = await newTask(3);
  await ada.open(task);
  await ada.keys('p');
  const [from, to] = [[60, 90], [140, 110]] as const;
  await ada.drag([...from], [...to]);
  await ada.saved();
  const expected = emptyBitmap(WIDTH, HEIGHT);
  paintLine(expected, { x: from[0], y: from[1] }, { x: to[0], y: to[1] }, 20, 1);
  const drawn = await ada.mask(task, 0);
  const wrong = drawn.data.filter((value, at) => value !== expected.data[at]).length;
  assert.ok(wrong < 150, `${wrong} pixels of the stroke are wrong`);
});

test('undo and redo of every action', async () => {
  const task = await newTask(3);
  await ada.open(task);
  await ada.page.getByRole('button', { name: 'Add' }).click();
  await ada.saved();
  await ada.keys('p');
  await ada.drag([100, 60], [160, 60]);
  await ada.saved();
  await ada.drag([100, 120], [160, 120]);
  await ada.saved();
  const both = areaOf(await ada.mask(task, 0));

  await ada.keys('Control+z');
  await until('the second stroke is taken back', async () => areaOf(await ada.mask(task, 0)) < both);
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

test('phase 2: the first frame is drawn, tracked, paused, cancelled and repaired', async () => {
  const task = await newTask(2);
  await ada.open(task);
  await ada.keys('g');
  for (const [x, y] of [[34, 64], [86, 64], [86, 116], [34, 116]] as const) await ada.click(x, y);
  await ada.keys('Enter');
  await ada.saved();

  await ada.page.getByRole('button', { name: 'Forwards' }).click();
  await ada.page.getByRole('heading', { name: 'Tracking forwards' }).waitFor();
  await until('masks come', async () => Number(await ada.page.getByLabel('Frame', { exact: true }).first().getAttribute('aria-valuenow')) > 1);
  await ada.keys('k');
  await ada.page.getByText('· paused').waitFor();
  await ada.shot('annotate-paused');
  const paused = (await ada.entries(task)).length;
  assert.ok(paused > 1 && paused < FRAMES, `${paused} frames at the pause`);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  assert.equal((await ada.entries(task)).length, paused, 'nothing is tracked during a pause');

  await ada.page.getByRole('button', { name: 'Go on' }).click();
  await until('it goes on', async () => (await ada.entries(task)).length > paused);
  await ada.page.getByRole('button', { name: 'Cancel' }).click();
  await ada.page.getByText('then cancelled').waitFor();
  const cancelled = (await ada.entries(task)).length;
  assert.ok(cancelled < FRAMES, 'it did not run to its end');

  // What was tracked is taken back at once.
  await ada.page.locator('.stage canvas').focus();
  await ada.keys('Control+z');
  await until('only the first frame is left', async () => (await ada.entries(task)).length === 1);
  await ada.saved();
  await ada.keys('Control+Shift+z');
  await until('it is tracked again', async () => (await ada.entries(task)).length === cancelled);
  await ada.saved();

  // A repaired frame is kept when tracking starts from it.
  await ada.keys('Home', 'ArrowRight', 'ArrowRight', 'p');
  await ada.shows(2);
  await ada.drag([250, 40], [290, 40]);
  await ada.saved();
  const repaired = await ada.mask(task, 2);
  await ada.keys('f');
  await ada.page.getByText(/^\d+ frames tracked\.$/).waitFor();
  assert.equal((await ada.entries(task)).length, FRAMES);
  assert.deepEqual(await ada.mask(task, 2), repaired);
});

test('phase 3: clicks on any frame, tracked in both directions', async () => {
  const task = await newTask(3);
  await ada.open(task);
  for (let step = 0; step < 2; step++) await ada.keys('Shift+ArrowRight');
  await ada.shows(20);
  const disk = diskAt(20);
  await ada.click(disk.x, disk.y);
  await ada.saved();
  await ada.keys('v');
  await until('it is tracked backwards', async () => (await ada.entries(task)).length === 21);
  await ada.page.getByRole('heading', { name: 'Tracking', exact: true }).waitFor();
  await ada.keys('Home');
  for (let step = 0; step < 2; step++) await ada.keys('Shift+ArrowRight');
  await ada.keys('f');
  await until('it is tracked forwards', async () => (await ada.entries(task)).length === FRAMES);
  await ada.page.getByRole('heading', { name: 'Tracking', exact: true }).waitFor();

  await ada.shows(FRAMES - 1);
  const end = diskAt(FRAMES - 1);
  await ada.click(end.x, end.y);
  await ada.click(20, 20, 'right');
  await ada.saved();
  const refined = await ada.entry(task, FRAMES - 1);
  assert.equal(refined?.prompts.length, 2);
  await ada.shot('annotate-phase-3');

  // The last click is taken away again.
  await ada.keys('Backspace');
  await ada.saved();
  assert.equal((await ada.entry(task, FRAMES - 1))?.prompts.length, 1);

  // The phase is switched, with what is there.
  await ada.page.getByLabel('Phase').selectOption('2');
  await ada.saved();
  assert.equal((await ada.task(task)).phase, 2);
  assert.equal((await ada.entries(task)).length, FRAMES);
});

test('the keyboard alone does it', async () => {
  const task = await newTask(3);
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
