// The three phases in the editor. What the tests compare is what the server has on its disk.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { fillPolygon } from '../../src/masks/paint.ts';
import { emptyBitmap } from '../../src/masks/rle.ts';
import { HEIGHT, RADIUS, WIDTH, diskAt } from './clip.ts';
import { Server } from './server.ts';
import { Visitor, closeBrowser, pixelsOf, until } from './visitor.ts';

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

test('the token is not left in the address', async () => {
  assert.ok(!ada.page.url().includes('token'), ada.page.url());
});

test('phase 1: clicks, a box, brush, eraser and polygon on single frames, and no tracking', async () => {
  const task = await server.newTask(1);
  await ada.open(task);
  await ada.page.getByText('Nothing is tracked in phase 1').waitFor();
  const disk = diskAt(0);

  await ada.click(disk.x, disk.y);
  await ada.saved();
  await ada.click(disk.x + 80, disk.y, 'right');
  await ada.saved();
  const clicked = await ada.entry(task, 0);
  assert.deepEqual(
    clicked?.prompts.map((prompt) => prompt.kind === 'click' && prompt.positive),
    [true, false],
  );
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
  assert.deepEqual(
    (await ada.entry(task, step))?.prompts.map((prompt) => prompt.kind),
    ['box'],
  );

  await ada.keys(']', 'p');
  await ada.shows(2 * step);
  await ada.drag([100, 60], [160, 60]);
  await ada.saved();
  const painted = await ada.mask(task, 2 * step);
  assert.ok(Math.abs(pixelsOf(painted) - (60 * 20 + Math.PI * 100)) < 60, `${pixelsOf(painted)} pixels were painted`);
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
  const corners = [
    [40, 30],
    [200, 50],
    [120, 150],
  ] as const;
  for (const [x, y] of corners) await ada.click(x, y);
  await ada.shot('annotate-polygon');
  await ada.keys('Enter');
  await ada.saved();
  const expected = emptyBitmap(WIDTH, HEIGHT);
  fillPolygon(
    expected,
    corners.map(([x, y]) => ({ x, y })),
    1,
  );
  const drawn = await ada.mask(task, 3 * step);
  const wrong = drawn.data.filter((value, at) => value !== expected.data[at]).length;
  // The mouse is in whole pixels of the screen, which are smaller than the video's.
  assert.ok(wrong < 300, `${wrong} pixels of the polygon are wrong`);
});

test('phase 2: the first frame is drawn, tracked, paused, cancelled and repaired', async () => {
  const task = await server.newTask(2);
  await ada.open(task);
  await ada.keys('g');
  for (const [x, y] of [
    [34, 64],
    [86, 64],
    [86, 116],
    [34, 116],
  ] as const)
    await ada.click(x, y);
  await ada.keys('Enter');
  await ada.saved();

  await ada.page.getByRole('button', { name: 'Forwards' }).click();
  await ada.page.getByRole('heading', { name: 'Tracking forwards' }).waitFor();
  await until(
    'masks come',
    async () => Number(await ada.page.getByLabel('Frame', { exact: true }).first().getAttribute('aria-valuenow')) > 1,
  );
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
  const task = await server.newTask(3);
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
