// When things go wrong: a killed server, somebody else's change, a lost lease.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import type { Route } from 'playwright-core';

import { Server } from './server.ts';
import { Visitor, closeBrowser, until } from './visitor.ts';

const FRAMES = 40;

let server: Server;
let ada: Visitor;
let task: number;
before(async () => {
  server = await Server.withClip(FRAMES);
  task = await server.newTask(3);
  ada = await Visitor.come(server);
  await ada.open(task);
});
after(async () => {
  await ada?.leave();
  await closeBrowser();
  await server?.end();
});

test('a killed server loses nothing: what was saved is there, and what was not is saved later', async () => {
  await ada.keys('p');
  await ada.drag([60, 60], [120, 60]);
  await ada.saved();
  const first = (await ada.entry(task, 0))!.area;

  await server.kill();
  await ada.drag([60, 120], [120, 120]);
  await ada.page.getByText('Not saved: trying again').waitFor();
  await ada.page.getByText('No connection').first().waitFor();
  await ada.shot('lost-connection');
  await server.start();
  assert.equal((await ada.entry(task, 0))?.area, first, 'what was answered is on the disk');
  await ada.saved();
  assert.ok((await ada.entry(task, 0))!.area > first, 'the stroke of the meantime is saved');
  await ada.page.getByText('Connected', { exact: true }).waitFor();
});

test('a server that is killed while it tracks keeps what it said was saved', async () => {
  await ada.keys('f');
  await until('some frames are saved', async () => (await ada.entries(task)).length > 3);
  await server.kill();
  await server.start();
  const kept = await ada.entries(task);
  assert.ok(kept.length > 3);
  await ada.page.getByText('The connection was lost, which ended the propagation').waitFor();
  await ada.dismiss();
  // The page shows what the server has.
  await ada.keys('Home', 'f');
  await until('it is tracked to the end', async () => (await ada.entries(task)).length === FRAMES);
  await ada.page.getByRole('heading', { name: 'Tracking', exact: true }).waitFor();
});

test('a change that is based on an old state is refused; the new state is loaded and told', async () => {
  await ada.keys('Home');
  await ada.shows(0);
  // Somebody is quicker: their change comes between this click and the server.
  const quicker = async (route: Route) => {
    const { revision, masklets } = await ada.task(task);
    await server.ask('PATCH', `/api/tasks/${task}/masklets/${masklets[0]!.id}`, {
      seen: revision,
      name: 'renamed elsewhere',
    });
    await route.continue();
  };
  await ada.page.route('**/masks', quicker, { times: 1 });
  const before = (await ada.entry(task, 0))!.area;
  await ada.drag([200, 140], [260, 140]);
  await ada.page.getByText(/was not saved, because the task was changed/).waitFor();
  assert.equal((await ada.entry(task, 0))!.area, before);
  await ada.page.getByRole('button', { name: 'renamed elsewhere', exact: true }).first().waitFor();
  await ada.shot('stale');
  await ada.dismiss();
  await ada.drag([200, 140], [260, 140]);
  await ada.saved();
  assert.ok((await ada.entry(task, 0))!.area > before, 'repeated, it is saved');
});

test('a task that was given back elsewhere is not changed', async () => {
  await server.ask('POST', `/api/tasks/${task}/release`);
  await ada.page.getByRole('button', { name: 'Claim it' }).waitFor();
  const before = (await ada.entry(task, 0))!.area;
  await ada.drag([20, 20], [60, 20]);
  assert.equal((await ada.entry(task, 0))!.area, before);
  await ada.page.getByRole('button', { name: 'Claim it' }).click();
  await ada.page.getByRole('button', { name: 'Give back' }).waitFor();
});

test('a frame that cannot be loaded stops playing, is told, and is tried again', async () => {
  const other = await server.newTask(3);
  const vera = await Visitor.come(server);
  await vera.page.route('**/frames/20', (route) => route.fulfill({ status: 500 }));
  await vera.open(other);
  await vera.keys('Space');
  await vera.page.getByText('Frame 20 could not be loaded.').waitFor();
  await vera.page.getByRole('button', { name: 'Play', exact: true }).waitFor();
  await vera.shows(19);
  await vera.page.unroute('**/frames/20');
  await vera.keys('ArrowRight');
  await vera.shows(20);
  await vera.leave();
});
