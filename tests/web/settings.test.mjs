// What a user sets for a browser: colours, letters, scrollback, screen reader mode; all of it kept over a reload.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertAccessible } from './support/axe.mjs';
import { openBrowser } from './support/browser.mjs';
import { startQuarterdeck } from './support/quarterdeck.mjs';
import { until } from './support/until.mjs';

let server;
let deck;
let id;

before(async () => {
  server = await startQuarterdeck();
  id = (await server.post('/api/sessions', { name: 'set', command: ['/bin/bash', '--norc'] })).session.id;
  deck = await openBrowser(server.url, { reducedMotion: 'reduce' });
  await deck.tab('set').click();
});
after(async () => {
  await deck?.close();
  await server?.stop();
});

const grounds = () =>
  deck.page.evaluate(() => [document.body, document.querySelector('[role=tabpanel]:not([hidden]) .xterm-scrollable-element')].map((element) => getComputedStyle(element).backgroundColor));
const cols = () => deck.page.evaluate((session) => window.__quarterdeck.size(session)?.cols, id);
const settings = () => deck.page.getByRole('dialog', { name: 'Settings' });

async function openSettings() {
  await deck.page.getByRole('button', { name: 'Settings' }).click();
  await settings().waitFor();
}
async function closeSettings() {
  await deck.page.keyboard.press('Escape');
  await settings().waitFor({ state: 'detached' });
}

const themes = [
  { name: 'Light', page: 'rgb(236, 239, 244)', terminal: 'rgb(247, 248, 251)' },
  { name: 'High contrast', page: 'rgb(0, 0, 0)', terminal: 'rgb(0, 0, 0)' },
  { name: 'Oceanic Calm', page: 'rgb(46, 52, 64)', terminal: 'rgb(46, 52, 64)' },
];
for (const { name, page, terminal } of themes) {
  test(`${name} is for page and terminal alike, stays over a reload, and axe-core finds nothing`, async () => {
    await openSettings();
    await deck.page.getByLabel(name, { exact: true }).check();
    await until(`${name} to be worn`, async () => (await grounds()).join() === [page, terminal].join());
    await assertAccessible(deck.page, `settings in ${name}`);
    await deck.screenshot(`settings-${name.toLowerCase().replace(' ', '-')}`);
    await closeSettings();
    await assertAccessible(deck.page, name);
    await deck.screenshot(`theme-${name.toLowerCase().replace(' ', '-')}`);
    await deck.page.reload();
    await deck.tab('set').waitFor();
    await until('the same after a reload', async () => (await grounds()).join() === [page, terminal].join());
  });
}

test('larger letters by keyboard: fewer columns, for the program too, and kept', async () => {
  await deck.tab('set').click();
  const normal = await until('a size', cols);
  for (let i = 0; i < 6; i++) await deck.page.keyboard.press('Control+=');
  const larger = await until('fewer columns', async () => (await cols()) < normal * 0.8 && cols());
  await until('the program to know', async () => (await server.get(`/api/sessions/${id}`)).session.cols === larger);
  await deck.page.reload();
  await until('the same letters after a reload', async () => (await cols()) === larger);
  await deck.tab('set').click();
  await deck.page.keyboard.press('Control+0');
  await until('the letters of the first visit', async () => (await cols()) === normal);
});

test('less scrollback keeps less, and the setting is reached by keyboard alone', async () => {
  await server.type(id, 'seq -f line-%.0f 5000; echo all-out\n');
  await deck.lineAppears(id, 'all-out');
  assert.ok((await deck.text(id)).includes('line-500\n'));
  await openSettings();
  await deck.page.getByLabel('Scrollback').focus();
  await deck.page.keyboard.type('1,000');
  await until('old lines to go', async () => !(await deck.text(id)).includes('line-500\n'));
  assert.ok((await deck.text(id)).includes('line-4900\n'));
  await closeSettings();
});

test('in screen reader mode the text stands where screen readers find it', async () => {
  const spoken = deck.page.locator('[role=tabpanel]:not([hidden]) .xterm-accessibility').getByText('spoken-7', { exact: true });
  await server.type(id, 'echo spoken-$((3 + 4))\n');
  await deck.lineAppears(id, 'spoken-7');
  assert.equal(await spoken.count(), 0);
  await openSettings();
  await deck.page.getByRole('switch', { name: 'Screen reader mode' }).press('Space');
  await closeSettings();
  await spoken.first().waitFor();
  await assertAccessible(deck.page, 'screen reader mode');
});

test('on a phone held upright the settings fit', async () => {
  await deck.page.setViewportSize({ width: 390, height: 700 });
  await openSettings();
  assert.equal(await deck.overflows(), false);
  await deck.page.getByRole('button', { name: 'Done' }).click();
  await settings().waitFor({ state: 'detached' });
  await deck.page.setViewportSize({ width: 1280, height: 800 });
});

test('through all of it: no error in the console', () => assert.deepEqual(deck.complaints, []));
