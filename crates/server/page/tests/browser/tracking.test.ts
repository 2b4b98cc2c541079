// What is done while objects are tracked: the task changes under one's hands then.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import type { Route } from 'playwright-core';

import { Server } from './server.ts';
import { Visitor, closeBrowser, until } from './visitor.ts';

/** Enough for several saves. */
const FRAMES = 150;

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

const revision = async (task: number) => (await ada.task(task)).revision;

/** A new task with an object that is tracked, while its first frame is shown. */
async function tracked(): Promise<number> {
  const task = await server.newTask(3);
  await ada.open(task);
  await ada.keys('p');
  await ada.drag([40, 90], [80, 90]);
  await ada.saved();
  await ada.keys('f');
  await ada.page.getByLabel('Show each frame as it comes').uncheck();
  await ada.page.locator('.stage canvas').focus();
  await ada.keys('Home');
  await ada.shows(0);
  return task;
}

/** Holds the next request that ends like this until `ready`; how the server answered it then. */
async function held(path: string, ready: () => Promise<void>): Promise<() => number | undefined> {
  let status: number | undefined;
  const hold = async (route: Route) => {
    await ready();
    const response = await route.fetch();
    status = response.status();
    await route.fulfill({ response });
  };
  await ada.page.route(path, hold, { times: 1 });
  return () => status;
}

/** Waits until the propagation has saved once more. */
async function another(task: number): Promise<void> {
  const before = await revision(task);
  await until('more frames are saved', async () => (await revision(task)) > before);
}

const end = () =>
  ada.page
    .getByText(/^\d+ frames tracked/)
    .last()
    .waitFor();
const noneBad = async () => assert.equal(await ada.page.locator('.notice.bad').count(), 0);

test('a stroke and a click that meet saved frames are made on top of them', async () => {
  const task = await tracked();
  const stroke = await held('**/masks', () => another(task));
  const before = (await ada.entry(task, 0))!.area;
  await ada.drag([200, 140], [260, 140]);
  await until('the stroke is saved', async () => (await ada.entry(task, 0))!.area > before);
  assert.equal(stroke(), 409, 'it was refused at first');

  const click = await held('**/prompt', () => another(task));
  await ada.keys('c');
  await ada.click(20, 20, 'right');
  await until('the click is saved', async () => (await ada.entry(task, 0))?.prompts.at(-1)?.kind === 'click');
  assert.equal(click(), 409, 'it was refused at first');
  await noneBad();
  await ada.keys('Escape');
  await end();

  // Each is a step of its own, between what was tracked before and after it.
  await ada.saved();
  const all = (await ada.entries(task)).length;
  await ada.keys('Control+z');
  await until('the frames after the click are taken back', async () => (await ada.entries(task)).length < all);
  await ada.saved();
  assert.equal((await ada.entry(task, 0))?.prompts.at(-1)?.kind, 'click');
  await ada.keys('Control+z');
  await until('the click is', async () => (await ada.entry(task, 0))?.prompts.at(-1)?.kind !== 'click');
  await ada.saved();
  await ada.keys('Control+z', 'Control+z');
  await until('the stroke is', async () => (await ada.entry(task, 0))?.area === before);
  await ada.saved();
  assert.ok((await ada.entries(task)).length > 1, 'what was tracked before it is left');
  await ada.keys('Control+z');
  await until('all of that is taken back', async () => (await ada.entries(task)).length === 1);
  await ada.saved();
});

test('a stroke whose answer comes after the last frame is saved too', async () => {
  const task = await tracked();
  const stroke = await held('**/masks', async () => {
    await another(task);
    await ada.keys('Escape');
    await end();
  });
  const before = (await ada.entry(task, 0))!.area;
  await ada.drag([200, 140], [260, 140]);
  await ada.saved();
  assert.equal(stroke(), 409, 'it was refused at first');
  assert.ok((await ada.entry(task, 0))!.area > before);
  await noneBad();
});

test('what somebody else did meanwhile is a conflict', async () => {
  const task = await tracked();
  const { masklets } = await ada.task(task);
  await held('**/masks', async () => {
    await another(task);
    await until('it is renamed', async () => {
      const seen = await revision(task);
      const rename = { seen, name: 'renamed elsewhere' };
      return server.ask('PATCH', `/api/tasks/${task}/masklets/${masklets[0]!.id}`, rename).then(
        () => true,
        () => false,
      );
    });
  });
  const before = (await ada.entry(task, 0))!.area;
  await ada.drag([200, 140], [260, 140]);
  await ada.page.getByText(/was not saved, because the task was changed/).waitFor();
  assert.equal((await ada.entry(task, 0))!.area, before);
  await ada.dismiss();
  // What is tracked stays in sight.
  const shown = Number(await ada.page.locator('.lanes [data-visible]').getAttribute('data-visible'));
  assert.ok(shown > 1, `${shown} frames are shown`);
  await ada.keys('Escape');
  await end();
});
