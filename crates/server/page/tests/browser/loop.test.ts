// The loop around the editor: import, queue, verification by somebody else, repair, statistics,
// history, export.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { after, before, test } from 'node:test';

import type { Task, User, Video } from '../../src/api/types.ts';
import { Server } from './server.ts';
import { Visitor, closeBrowser, until } from './visitor.ts';

const CLIP = resolve(import.meta.dirname, '../../../../media/tests/fixtures/video/b_frames.mp4');
const FRAMES = 24;

let server: Server;
let ada: Visitor;
let vera: Visitor;
before(async () => {
  server = await Server.withClip(FRAMES);
  ada = await Visitor.come(server);
  const { id } = await server.ask<User>('POST', '/api/users', { name: 'Vera', role: 'verifier' });
  const { token } = await server.ask<{ token: string }>('POST', `/api/users/${id}/token`);
  vera = await Visitor.come(server, token);
});
after(async () => {
  await vera?.leave();
  await ada?.leave();
  await closeBrowser();
  await server?.end();
});

test('videos are imported by upload, and refused ones told', async () => {
  await ada.view('Videos');
  await ada.page.getByRole('heading', { name: 'disk' }).waitFor();
  const input = ada.page.locator('input[type="file"]');
  await input.setInputFiles(CLIP);
  await ada.page.getByRole('heading', { name: 'b_frames' }).waitFor();
  await input.setInputFiles({ name: 'broken.mp4', mimeType: 'video/mp4', buffer: Buffer.from('no video') });
  await ada.page.locator('.notice.bad').waitFor();
  assert.equal((await server.ask<Video[]>('GET', '/api/videos')).length, 2);
  await until('the sheets are there', () =>
    ada.page.locator('.sheet').evaluateAll((all) => all.every((sheet) => (sheet as HTMLImageElement).naturalWidth > 0)),
  );
  await ada.shot('videos');
  await ada.dismiss();
});

test('a masklet is annotated, sent back with a remark, repaired, and accepted', async () => {
  await ada.page.getByRole('listitem').filter({ hasText: 'disk' }).getByRole('button', { name: 'New task' }).click();
  await ada.shows(0);
  await ada.keys('p');
  await ada.drag([60, 90], [100, 90]);
  await ada.saved();
  await ada.keys('f');
  await ada.page.getByText(/^\d+ frames tracked\.$/).waitFor();
  await ada.page.getByRole('button', { name: 'Send to verification' }).click();
  await ada.page.getByRole('heading', { name: 'Queue' }).waitFor();
  await ada.page.getByRole('region', { name: 'To be verified' }).waitFor();
  await ada.shot('queue');

  await vera.page.getByRole('button', { name: 'Verify the next task' }).click();
  await vera.page.getByRole('button', { name: 'Pause' }).waitFor();
  const shown = () => vera.page.locator('.stage canvas').getAttribute('data-frame');
  const seen = new Set<string | null>();
  await until('the masklet is looped', async () => seen.add(await shown()).size > 5);
  await vera.shot('verify');
  await vera.keys('u');
  await vera.page.getByLabel('What is to be repaired?').fill('the disk is not a line');
  await vera.shot('verify-remark');
  await vera.keys('Enter');
  await until('it goes back', async () => (await vera.task(1)).state === 'annotate');
  await vera.page.getByText('Everything is verified.').waitFor();

  await ada.page.getByText('“the disk is not a line”').waitFor();
  await ada.page.getByRole('link', { name: /^Annotate: task 1/ }).click();
  await ada.shows(0);
  await ada.page.getByText('to be repaired').waitFor();
  await ada.page.getByText('the disk is not a line').waitFor();
  await ada.shot('annotate-remark');
  await ada.keys('p');
  await ada.drag([60, 80], [100, 80]);
  await ada.saved();
  await ada.page.getByRole('button', { name: 'Send to verification' }).click();
  await until('it is sent again', async () => (await ada.task(1)).state === 'verify');

  await vera.page.getByRole('link', { name: /^Verify: task 1/ }).click();
  await vera.page.getByRole('button', { name: 'Satisfactory', exact: false }).first().waitFor();
  await vera.shows(0);
  await vera.keys('s');
  await until('it is done', async () => (await vera.task(1)).state === 'done');
  assert.equal((await vera.task(1)).masklets[0]?.state, 'satisfactory');

  // The last verdict is undone from the queue, and given again.
  await vera.page.getByText('Task 1 was verified.').last().waitFor();
  await vera.page.getByRole('button', { name: 'Undo' }).last().click();
  await until('it is to be verified again', async () => (await vera.task(1)).state === 'verify');
  await vera.shows(0);
  await vera.keys('s');
  await until('it is done again', async () => (await vera.task(1)).state === 'done');
});

test('one’s own work is verified by somebody else, and a held task is not taken', async () => {
  const { task } = await server.ask<{ task: Task }>('POST', '/api/tasks', { video: 1 });
  await ada.open(task.id);
  await ada.page.getByRole('button', { name: 'Send to verification' }).waitFor();
  await vera.page.goto(`${server.origin}/#/annotate/${task.id}`);
  await vera.page.getByText(/Ada holds this task|holds this task/).waitFor();
  await vera.shows(0);
  await vera.click(60, 90);
  assert.equal((await vera.task(task.id)).masklets.length, 0, 'who does not hold it changes nothing');
  await ada.keys('p');
  await ada.drag([60, 90], [100, 90]);
  await ada.saved();
  await vera.page.locator('.lanes [data-visible="1"]').waitFor();
  await ada.page.getByRole('button', { name: 'Give back' }).click();
  await ada.page.getByRole('heading', { name: 'Queue' }).waitFor();
});

test('the dashboard counts, and its tables are downloaded', async () => {
  await ada.view('Dashboard');
  await ada.page.getByRole('heading', { name: 'Annotation by phase' }).waitFor();
  await ada.page.getByRole('img', { name: /Masklets by state: .*satisfactory 1/ }).waitFor();
  await ada.shot('dashboard');
  const [download] = await Promise.all([
    ada.page.waitForEvent('download'),
    ada.page.getByRole('link', { name: 'CSV' }).click(),
  ]);
  const csv = readFileSync((await download.path())!, 'utf8');
  assert.match(csv, /^contents,all,manual_masklets,2$/m);
});

test('a search for automatic masklets is begun and stopped', async () => {
  await ada.view('Videos');
  const card = ada.page.getByRole('listitem').filter({ hasText: 'b_frames' });
  await card.getByRole('button', { name: 'Find masklets' }).click();
  await card.getByRole('progressbar', { name: 'Automatic masklets' }).waitFor();
  await ada.shot('videos-search');
  await card.getByRole('button', { name: 'Stop' }).click();
  await card.getByRole('button', { name: 'Find masklets' }).waitFor();
});

test('satisfactory masklets are exported', async () => {
  await ada.view('Videos');
  await ada.page.getByRole('button', { name: 'Export …' }).click();
  await ada.page.getByLabel('Format').selectOption('davis');
  await ada.page.getByRole('button', { name: 'Write' }).click();
  const link = ada.page.getByRole('link', { name: /^Download/ });
  await link.waitFor();
  await ada.shot('export');
  const [download] = await Promise.all([ada.page.waitForEvent('download'), link.click()]);
  const archive = readFileSync((await download.path())!);
  assert.equal(archive.subarray(0, 4).toString('latin1'), 'PK\x03\x04');
  assert.ok(archive.includes('disk/00000.png'), 'masks of the first frame are in it');
  await ada.keys('Escape');
});

test('the history is read and reverted', async () => {
  await ada.view('History');
  const rename = await server.ask<{ revision: number }>('GET', '/api/settings');
  await server.ask('PATCH', '/api/settings', { seen: rename.revision, name: 'Another name' });
  await ada.page.reload();
  await ada.page.getByText('changed the settings: name').waitFor();
  await ada.shot('history');
  await ada.page
    .getByRole('button', { name: /^Revert event/ })
    .first()
    .click();
  await ada.page.getByText(/^Event \d+ was reverted\.$/).waitFor();
  assert.notEqual(
    (await server.ask<{ settings: { name: string } }>('GET', '/api/settings')).settings.name,
    'Another name',
  );
});

test('people are added, get a token, and settings are changed', async () => {
  await ada.view('Settings');
  const people = ada.page.getByRole('region', { name: 'People' });
  await people.getByLabel('Name', { exact: true }).fill('Ben');
  await people.getByRole('button', { name: 'Add' }).click();
  await people.getByRole('button', { name: 'New token of Ben' }).click();
  const address = await ada.page.getByLabel('Address with the token').inputValue();
  await ada.shot('settings');
  await ada.keys('Escape');
  const ben = await Visitor.come(server, address.split('#token=')[1]!);
  await ben.page.getByText('Ben').waitFor();
  assert.equal(await ben.page.getByRole('button', { name: 'Verify the next task' }).count(), 0);
  await ben.leave();

  await ada.page.getByLabel('Phase of new tasks').selectOption('1');
  await ada.page.getByRole('button', { name: 'Save' }).click();
  await ada.page.getByText('The settings were saved.').waitFor();
  assert.equal((await server.ask<{ settings: { phase: number } }>('GET', '/api/settings')).settings.phase, 1);
});

test('a task that is done is reopened by the owner', async () => {
  await ada.view('Queue');
  await ada.page.getByRole('button', { name: 'Reopen …' }).click();
  const dialog = ada.page.getByRole('dialog', { name: 'Reopen task 1' });
  await dialog.getByLabel('Remark').fill('the first frame once more');
  await ada.shot('queue-reopen');
  await dialog.getByRole('button', { name: 'Send back to annotation' }).click();
  await until('it is to be annotated', async () => (await ada.task(1)).state === 'annotate');
  assert.equal((await ada.task(1)).masklets[0]?.remark, 'the first frame once more');
});

test('who has no token is asked for one, and who logs out is forgotten', async () => {
  await ada.view('Settings');
  await ada.page.getByRole('button', { name: 'Log out' }).click();
  await ada.page.getByLabel('Token', { exact: true }).fill('somebody-elses-token');
  await ada.page.getByRole('button', { name: 'Log in' }).click();
  await ada.page.locator('.notice.bad').waitFor();
  await ada.shot('login');
  await ada.page.reload();
  await ada.page.getByLabel('Token', { exact: true }).fill(server.token);
  await ada.page.getByRole('button', { name: 'Log in' }).click();
  await ada.page.getByRole('navigation', { name: 'Views' }).waitFor();
  await ada.page.getByText('Connected', { exact: true }).waitFor();
});
