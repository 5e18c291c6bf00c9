// Several sessions at a glance: the list beside the terminal, the order of the tabs, the top bar, small windows.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openBrowser } from './support/browser.mjs';
import { startQuarterdeck } from './support/quarterdeck.mjs';
import { until } from './support/until.mjs';

let server;
let deck;
const ids = {};

before(async () => {
  server = await startQuarterdeck(['--warn-percent', '60.5', '--critical-percent', '80']);
  const commands = { one: ['/bin/bash', '--norc'], two: ['/bin/bash', '-c', 'read -r x'], failing: ['/bin/sh', '-c', 'exit 3'] };
  for (const [name, command] of Object.entries(commands)) {
    ids[name] = (await server.post('/api/sessions', { name, command })).session.id;
  }
  deck = await openBrowser(server.url);
});
after(async () => {
  await deck?.close();
  await server?.stop();
});

const list = () => deck.page.getByRole('complementary', { name: 'Overview of sessions' });
const rows = async () => (await list().getByRole('listitem').allTextContents()).map((text) => Object.keys(ids).find((name) => text.startsWith(name)));
const order = () => deck.tabs().evaluateAll((tabs) => tabs.map((tab) => tab.id.replace('tab-', '')));
const named = (...names) => names.map((name) => ids[name]);
const selected = (name) => deck.tab(name).and(deck.page.locator('[aria-selected=true]')).waitFor();

test('the list puts what needs a look first and tells program, status and age', async () => {
  await until('the failed session to be first', async () => (await rows()).join() === 'failing,one,two');
  const row = list().getByRole('button', { name: 'one' });
  await row.getByText('/bin/bash --norc').waitFor();
  await row.getByText('running').waitFor();
  await list().getByRole('button', { name: /^failing.*failed/ }).waitFor();
  assert.match(await row.textContent(), /last output (now|\d+ s)/);
  await deck.screenshot('overview');
});

test('the age of the last output grows by itself and falls with output', async () => {
  const row = list().getByRole('button', { name: 'two' });
  await row.getByText(/^last output \d+ s$/).waitFor();
  await server.type(ids.two, 'x');
  await row.getByText(/^last output now$/).waitFor();
});

test('a row of the list goes to its terminal, with the keyboard', async () => {
  await list().getByRole('button', { name: 'one' }).click();
  await selected('one');
  await deck.page.keyboard.type('echo from-$((1 + 1))-list\n');
  await deck.lineAppears(ids.one, 'from-2-list');
});

test('Ctrl with a digit switches from within a terminal', async () => {
  await deck.page.keyboard.press('Control+2');
  await selected('two');
  await deck.page.keyboard.press('Control+9');
  await selected('two');
  await deck.page.keyboard.press('Control+1');
  await selected('one');
  await deck.page.keyboard.type('echo digit-$((4 + 4))\n');
  await deck.lineAppears(ids.one, 'digit-8');
});

test('tabs are moved by keyboard and by mouse, and stay so over a reload', async () => {
  await deck.page.keyboard.press('Control+Shift+ArrowUp');
  await deck.page.keyboard.press('Control+Shift+ArrowRight');
  assert.deepEqual(await order(), named('two', 'one', 'failing'));
  await deck.page.getByText('one is now tab 2 of 3.').waitFor();
  await deck.tab('failing').dragTo(deck.tab('two'));
  await until('the dragged tab to be first', async () => (await order()).join() === named('failing', 'two', 'one').join());
  await deck.page.reload();
  await deck.tab('failing').waitFor();
  assert.deepEqual(await order(), named('failing', 'two', 'one'));
});

test('the list is folded away, the terminal takes its place, and it stays so over a reload', async () => {
  await deck.tab('one').click();
  const cols = () => deck.page.evaluate((id) => window.__quarterdeck.size(id)?.cols, ids.one);
  const narrow = await until('a size', cols);
  const toggle = deck.page.getByRole('button', { name: 'Overview of sessions' });
  assert.equal(await toggle.getAttribute('aria-expanded'), 'true');
  await toggle.click();
  await list().waitFor({ state: 'detached' });
  await until('the terminal to be wider', async () => (await cols()) > narrow);
  await deck.page.reload();
  await deck.tab('one').waitFor();
  assert.equal(await toggle.getAttribute('aria-expanded'), 'false');
  assert.equal(await list().count(), 0);
  await toggle.click();
  await list().waitFor();
});

test('a server that was started again is told in the top bar', async () => {
  await deck.connected();
  // Known before: only then is one more a restart.
  await deck.page.waitForLoadState('networkidle');
  process.kill((await server.get('/api/health')).pid, 'SIGKILL');
  await deck.page.getByRole('status').getByText('Server restarted').waitFor();
  await deck.connected();
  await deck.screenshot('restarted');
});

test('the memory graph has its lines at the thresholds this server was given', async () => {
  const lines = deck.page.getByTestId('memory-graph').locator('line');
  assert.deepEqual(await lines.evaluateAll((all) => all.map((line) => line.dataset.percent)), ['60.5', '80']);
  const { height } = await deck.page.getByTestId('memory-graph').boundingBox();
  const [warn, critical] = await Promise.all([lines.nth(0), lines.nth(1)].map((line) => line.boundingBox()));
  assert.ok(Math.abs(warn.y - critical.y - 0.195 * height) < 2, 'drawn to scale');
});

for (const [kind, width, height] of [['a small laptop', 1024, 700], ['a phone held upright', 390, 844]]) {
  test(`on ${kind} nothing scrolls sideways`, async () => {
    await deck.page.setViewportSize({ width, height });
    await deck.tab('one').click();
    assert.equal(await list().isVisible(), width > 768);
    assert.equal(await deck.overflows(), false, 'sessions');
    await deck.screenshot(`sessions-${width}`);
    await deck.tab('failing').click();
    await deck.page.getByRole('button', { name: 'Resume' }).waitFor();
    assert.equal(await deck.overflows(), false, 'ended');
    await deck.page.keyboard.press('Control+Shift+F');
    assert.equal(await deck.overflows(), false, 'search');
    await deck.page.keyboard.press('Escape');
    await deck.page.getByRole('button', { name: 'New session' }).click();
    await deck.page.getByRole('button', { name: 'Create' }).click({ trial: true });
    assert.equal(await deck.overflows(), false, 'dialog');
    await deck.screenshot(`dialog-${width}`);
    await deck.page.keyboard.press('Escape');
    await deck.page.getByRole('dialog').waitFor({ state: 'detached' });
  });
}

test('the selected tab stays in view when the window becomes narrow', async () => {
  await deck.page.setViewportSize({ width: 1024, height: 700 });
  await deck.tabs().last().click();
  await deck.page.setViewportSize({ width: 390, height: 844 });
  const inView = () =>
    deck.tabs().last().evaluate((tab) => {
      const strip = tab.closest('[role=tablist]').getBoundingClientRect();
      const { left, right } = tab.getBoundingClientRect();
      return left >= strip.left - 1 && right <= strip.right + 1;
    });
  await until('the tab to be in view', inView);
});

test('without a session nothing scrolls sideways on a phone either', async () => {
  for (const id of Object.values(ids)) await server.destroy(id);
  await deck.page.getByRole('heading', { name: 'No sessions yet' }).waitFor();
  assert.equal(await deck.overflows(), false);
  await deck.screenshot('empty-390');
});

test('through all of it: no error in the console but the lost connection', () => {
  assert.deepEqual(deck.complaints.filter((text) => !/WebSocket|ERR_CONNECTION|Failed to load resource/.test(text)), []);
});
