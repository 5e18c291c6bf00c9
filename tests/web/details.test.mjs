// One session at length: figures over time, events, the end in words; and being told of it while looking elsewhere.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertAccessible } from './support/axe.mjs';
import { openBrowser } from './support/browser.mjs';
import { startQuarterdeck } from './support/quarterdeck.mjs';
import { until } from './support/until.mjs';

let server;
let deck;
const requested = [];

before(async () => {
  server = await startQuarterdeck();
  await server.post('/api/sessions', { name: 'first', command: ['/bin/bash', '--norc'] });
  deck = await openBrowser(server.url, { reducedMotion: 'reduce' });
  await deck.connected();
  deck.page.on('request', (request) => requested.push(new URL(request.url()).pathname));
});
after(async () => {
  await deck?.close();
  await server?.stop();
});

const details = () => deck.page.getByRole('dialog', { name: /^Details of / });
const chart = (name) => details().getByRole('img', { name: new RegExp(`^${name}`) });
async function openDetails() {
  await deck.page.getByRole('tabpanel').getByRole('button', { name: 'Details' }).press('Enter');
  await details().waitFor();
}
async function closeDetails() {
  await deck.page.keyboard.press('Escape');
  await details().waitFor({ state: 'detached' });
}

test('the details are loaded when they are asked for', async () => {
  await deck.page.waitForLoadState('networkidle');
  assert.equal(requested.some((path) => /Details-.*\.js$/.test(path)), false);
  await openDetails();
  assert.equal(requested.some((path) => /Details-.*\.js$/.test(path)), true);
  await closeDetails();
});

test('memory and CPU are drawn and grow with every reading', async () => {
  const { session } = await server.post('/api/sessions', { name: 'busy', command: ['/bin/bash', '-c', 'while :; do :; done'] });
  await deck.tab('busy').click();
  await openDetails();
  await chart('CPU.*highest [1-9]\\d* %').waitFor();
  await chart('Memory: now [\\d.]+ [KM]iB').waitFor();
  const points = async () => Number(await chart('Memory').getAttribute('data-points'));
  const before = await points();
  await until('two more readings', async () => (await points()) >= before + 2);
  const inked = await chart('CPU').locator('canvas').evaluate((canvas) => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value > 0));
  assert.equal(inked, true);
  await details().getByText('It was created.').waitFor();
  await assertAccessible(deck.page, 'details');
  await deck.screenshot('details');
  await closeDetails();
  await server.destroy(session.id);
});

test('its processes stand in a tree that is walked by keyboard and follows what happens', async () => {
  const script = 'sleep 4001 & /bin/bash -c "sleep 4002; sleep 4003"; read -r x';
  const { session } = await server.post('/api/sessions', { name: 'family', command: ['/bin/bash', '-c', script] });
  await deck.tab('family').click();
  await openDetails();
  const row = (words) => details().getByRole('treeitem', { name: words });
  const leader = row(/^\/bin\/bash -c sleep 4001/);
  await leader.waitFor();
  await row(/^sleep 4002 ?, in the foreground ?, sleeping ?, memory .* ?, process \d+$/).waitFor();
  assert.deepEqual(
    await details().getByRole('treeitem').evaluateAll((items) => items.map((item) => item.getAttribute('aria-level'))),
    ['1', '2', '2', '3'],
  );
  const processes = (await server.get(`/api/sessions/${session.id}/processes`)).processes;
  assert.equal(await leader.getAttribute('data-pid'), String(processes[0].pid));
  await assertAccessible(deck.page, 'process tree');
  await deck.screenshot('process-tree');
  await leader.focus();
  await deck.page.keyboard.press('End');
  await deck.page.keyboard.press('ArrowLeft');
  await deck.page.keyboard.press('ArrowLeft');
  await row(/^sleep 4002/).waitFor({ state: 'detached' });
  await deck.page.keyboard.press('ArrowRight');
  process.kill(processes.find(({ command }) => command === 'sleep 4002').pid, 'SIGTERM');
  await row(/^sleep 4003/).waitFor();
  await closeDetails();
  await deck.page.setViewportSize({ width: 390, height: 844 });
  await openDetails();
  await leader.waitFor();
  assert.equal(await deck.overflows(), false);
  await deck.screenshot('process-tree-390');
  await closeDetails();
  await deck.page.setViewportSize({ width: 1280, height: 800 });
  // Closed, it is not asked for any more.
  requested.length = 0;
  await deck.page.waitForRequest((request) => request.url().endsWith('/api/sessions'));
  await deck.page.waitForRequest((request) => request.url().endsWith('/api/sessions'));
  assert.equal(requested.some((path) => path.endsWith('/processes')), false);
  await server.destroy(session.id);
});

test('the end is told in words, with what came before it', async () => {
  const { session } = await server.post('/api/sessions', { name: 'short', command: ['/bin/bash', '-c', 'read -r x; exit 7'] });
  await deck.tab('short').click();
  await server.type(session.id, '\n');
  await deck.page.getByText('The program ended with exit code 7.').waitFor();
  await openDetails();
  await details().getByText('failed: ended with code 7 after a few seconds').waitFor();
  await details().getByText('Its program ended with code 7 after a few seconds.').waitFor();
  await closeDetails();
  await deck.page.setViewportSize({ width: 390, height: 700 });
  await openDetails();
  assert.equal(await deck.overflows(), false);
  await deck.screenshot('details-390');
  await closeDetails();
  await deck.page.setViewportSize({ width: 1280, height: 800 });
  await server.destroy(session.id);
});

test('notices are off at first; switched on, a session that ends elsewhere is told and counted in the title', async () => {
  await deck.page.addInitScript(() => {
    window.told = [];
    window.Notification = class {
      static permission = 'default';
      static async requestPermission() {
        this.permission = 'granted';
        return 'granted';
      }
      constructor(title, options) {
        window.told.push({ title, ...options });
      }
    };
  });
  await deck.page.reload();
  await deck.tab('first').click();
  await deck.page.getByRole('button', { name: 'Settings' }).click();
  const notices = deck.page.getByRole('switch', { name: 'Notifications' });
  assert.equal(await notices.isChecked(), false);
  await notices.press('Space');
  await until('the switch to be on', () => notices.isChecked());
  await assertAccessible(deck.page, 'settings with notices');
  await deck.page.getByRole('button', { name: 'Done' }).click();
  await deck.page.evaluate(() => {
    document.hasFocus = () => false;
  });
  await server.post('/api/sessions', { name: 'failing', command: ['/bin/bash', '-c', 'read -r x; exit 9'] });
  await deck.tab('failing').waitFor();
  await server.type('failing', '\n');
  await deck.page.waitForFunction(() => document.title === '(1) first · quarterdeck');
  assert.deepEqual(await deck.page.evaluate(() => window.told), [
    { title: 'failing', body: 'Its program ended with code 9 after a few seconds.', tag: await deck.page.evaluate(() => window.told[0].tag), silent: true },
  ]);
  await deck.page.evaluate(() => {
    document.hasFocus = () => true;
  });
  await deck.tab('failing').click();
  await deck.page.waitForFunction(() => document.title === 'failing · quarterdeck');
});

test('through all of it: no error in the console and no request to another host', () => {
  assert.deepEqual(deck.complaints, []);
  assert.deepEqual(deck.foreign, []);
});
