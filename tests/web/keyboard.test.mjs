// Everything there is to do, without a mouse.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openBrowser } from './support/browser.mjs';
import { startQuarterdeck } from './support/quarterdeck.mjs';
import { until } from './support/until.mjs';

let server;
let deck;
let keys;

before(async () => {
  server = await startQuarterdeck();
  deck = await openBrowser(server.url, { reducedMotion: 'reduce' });
  keys = deck.page.keyboard;
  await deck.page.evaluate(() => {
    window.pointed = [];
    for (const type of ['pointerdown', 'mousedown', 'touchstart']) addEventListener(type, () => window.pointed.push(type), { capture: true });
  });
  await deck.connected();
});
after(async () => {
  await deck?.close();
  await server?.stop();
});

/** The name of what has the focus. */
const focused = () =>
  deck.page.evaluate(() => {
    const { activeElement: element } = document;
    return (element.getAttribute('aria-label') ?? element.labels?.[0]?.textContent ?? element.textContent).trim();
  });
async function focusOn(name) {
  let at;
  const isThere = async () => (at = await focused()).startsWith(name);
  await until(`the focus on ${name}`, isThere).catch((error) => assert.fail(`${error.message}; it is on ${at}`));
}
/** Presses `key` until the focus is on what has this name. */
async function stepTo(name, key = 'Tab') {
  const passed = [];
  for (let i = 0; i < 30; i++) {
    await keys.press(key);
    const at = await focused();
    if (at.startsWith(name)) return;
    passed.push(at.slice(0, 30));
  }
  assert.fail(`${key} never came to ${name}: ${passed.join(' | ')}`);
}
const closed = () => deck.page.getByRole('dialog').waitFor({ state: 'detached' });
const selected = (name) => deck.tab(name).and(deck.page.locator('[aria-selected=true]')).waitFor();

test('a session is made, after a mistake that is corrected', async () => {
  await stepTo('New session');
  await keys.press('Enter');
  await focusOn('Name');
  await keys.type('my first');
  await deck.page.getByText('a space is none of them').waitFor();
  await keys.press('Control+a');
  await keys.type('one');
  await stepTo('Command');
  await keys.type('bash --norc');
  await keys.press('Enter');
  await closed();
  const id = await deck.activeId();
  await keys.type('echo key-$((3 + 4))\n');
  await deck.lineAppears(id, 'key-7');
});

test('text is searched and the terminal has the keyboard again', async () => {
  await keys.press('Control+Shift+F');
  await keys.type('key-7');
  await deck.page.getByTestId('search-result').getByText('1 of 1').waitFor();
  await keys.press('Escape');
  await keys.type('echo back-$((1 + 1))\n');
  await deck.lineAppears(await deck.activeId(), 'back-2');
});

test('the controls below the terminal are a key away: details and download', async () => {
  await keys.press('Control+Shift+ArrowDown');
  await focusOn('Search');
  await stepTo('Details');
  await keys.press('Enter');
  await deck.page.getByRole('treeitem').waitFor();
  await stepTo('bash --norc');
  await keys.press('Escape');
  await closed();
  await focusOn('Details');
  const saved = deck.page.waitForEvent('download');
  await stepTo('Download the output');
  await keys.press('Enter');
  assert.equal((await saved).suggestedFilename(), 'one.log');
});

test('another session is made from the tabs, and tabs are gone through and moved', async () => {
  await keys.press('Control+Shift+ArrowUp');
  await focusOn('one');
  await stepTo('New session');
  await keys.press('Enter');
  await focusOn('Name');
  await keys.type('two');
  await stepTo('Command');
  await keys.type("sh -c 'read -r x; exit 4'");
  await stepTo('Create');
  await keys.press('Enter');
  await closed();
  await selected('two');
  await keys.press('Control+1');
  await selected('one');
  await keys.press('Alt+PageDown');
  await selected('two');
  await keys.press('Control+Shift+ArrowUp');
  await keys.press('Control+Shift+ArrowLeft');
  await deck.page.getByText('two is now tab 1 of 2.').waitFor();
  await keys.press('ArrowRight');
  await selected('one');
  await keys.press('Home');
  await selected('two');
  await keys.press('Enter');
});

test('a program that ended is resumed', async () => {
  await keys.press('Enter');
  await deck.page.getByText('The program ended with exit code 4.').waitFor();
  await keys.press('Tab');
  await focusOn('Resume');
  await keys.press('Enter');
  await deck.page.getByText('The program ended with exit code 4.').waitFor({ state: 'detached' });
  // The button is gone; the keyboard is in the terminal.
  await keys.press('Enter');
  await deck.page.getByText('The program ended with exit code 4.').waitFor();
});

test('the overview leads to its sessions, and is folded away', async () => {
  await keys.press('Control+Shift+ArrowUp');
  await stepTo('two');
  await stepTo('one');
  await keys.press('Enter');
  await selected('one');
  await keys.type('echo by-list-$((2 + 3))\n');
  await deck.lineAppears(await deck.activeId(), 'by-list-5');
  await keys.press('Control+Shift+ArrowUp');
  await stepTo('Overview of sessions', 'Shift+Tab');
  await keys.press('Enter');
  await deck.page.getByRole('complementary').waitFor({ state: 'detached' });
  await keys.press('Enter');
  await deck.page.getByRole('complementary').waitFor();
});

test('settings are changed', async () => {
  await stepTo('Settings', 'Shift+Tab');
  await keys.press('Enter');
  await focusOn('As the system');
  await keys.press('ArrowDown');
  await keys.press('ArrowDown');
  await deck.page.locator('[data-theme=light]').waitFor();
  await keys.press('ArrowUp');
  await keys.press('ArrowUp');
  await keys.press('Escape');
  await closed();
  await focusOn('Settings');
});

test('a notice is dismissed', async () => {
  await deck.page.route('**/output?*', (route) => route.fulfill({ status: 500, json: { error: { code: 'INTERNAL', message: 'Reading the output failed', details: null, suggestion: '' } } }));
  await keys.press('Control+Shift+ArrowDown');
  await stepTo('Download the output');
  await keys.press('Enter');
  await deck.page.getByText('Reading the output failed.').waitFor();
  await stepTo('Dismiss');
  await keys.press('Enter');
  await deck.page.getByText('Reading the output failed.').waitFor({ state: 'detached' });
  await deck.page.unroute('**/output?*');
});

test('sessions are destroyed: the ended one at once, the running one when asked twice', async () => {
  await keys.press('Control+1');
  await selected('two');
  await keys.press('Control+Shift+ArrowUp');
  await keys.press('Delete');
  await deck.tab('two').waitFor({ state: 'detached' });
  await selected('one');
  await keys.press('Control+Shift+ArrowDown');
  await stepTo('Destroy session one');
  await keys.press('Enter');
  await focusOn('Keep it');
  await keys.press('Enter');
  await closed();
  await focusOn('Destroy session one');
  await keys.press('Enter');
  await focusOn('Keep it');
  await stepTo('Destroy');
  await keys.press('Enter');
  await deck.page.getByRole('heading', { name: 'No sessions yet' }).waitFor();
  await focusOn('New session');
  assert.deepEqual((await server.get('/api/sessions')).sessions, []);
});

test('through all of it: no pointer, and no error in the console but the failed download', async () => {
  assert.deepEqual(await deck.page.evaluate(() => window.pointed), []);
  assert.deepEqual(deck.complaints.filter((text) => !/status of 500/.test(text)), []);
});
