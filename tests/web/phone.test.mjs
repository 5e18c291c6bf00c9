// On a phone held upright, with fingers alone: everything is in reach, and nothing that pops up lies over it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertAccessible } from './support/axe.mjs';
import { openBrowser } from './support/browser.mjs';
import { startQuarterdeck } from './support/quarterdeck.mjs';
import { until } from './support/until.mjs';

const SMALLEST_TARGET = 24;

let server;
let deck;

before(async () => {
  server = await startQuarterdeck();
  deck = await openBrowser(server.url, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2, reducedMotion: 'reduce' });
  await deck.connected();
});
after(async () => {
  await deck?.close();
  await server?.stop();
});

const button = (name) => deck.page.getByRole('button', { name, exact: true });
const panel = () => deck.page.getByRole('tabpanel');

/** Whether a finger in the middle of it would hit it, and how large it is. */
async function inReach(locator) {
  await locator.waitFor();
  const { x, y, width, height } = await locator.boundingBox();
  assert.ok(x >= 0 && x + width <= 390 && y >= 0 && y + height <= 844, `it is at ${[x, y, width, height]}`);
  assert.ok(width >= SMALLEST_TARGET && height >= SMALLEST_TARGET, `it is ${width} by ${height}`);
  const hit = await locator.evaluate((element, [left, top]) => element.contains(document.elementFromPoint(left, top)), [x + width / 2, y + height / 2]);
  assert.ok(hit, 'something lies over it');
}

test('a session is made and typed into', async () => {
  await button('New session').tap();
  await deck.page.getByLabel('Name', { exact: true }).fill('pocket');
  await deck.page.getByLabel('Command', { exact: true }).fill('bash --norc');
  await inReach(button('Create'));
  await button('Create').tap();
  await deck.page.getByRole('dialog').waitFor({ state: 'detached' });
  const id = await deck.activeId();
  await deck.page.keyboard.type('echo on-$((3 + 4))-inches\n');
  await deck.lineAppears(id, 'on-7-inches');
  assert.equal(await deck.overflows(), false);
});

test('every control of the terminal is in reach', async () => {
  for (const name of ['Search', 'Details', 'Download the output', 'Destroy session pocket']) await inReach(panel().getByRole('button', { name, exact: true }));
  for (const name of ['New session', 'Settings']) await inReach(button(name));
});

test('search, details and settings are opened and closed by touch', async () => {
  await panel().getByRole('button', { name: 'Search' }).tap();
  await inReach(button('Close search'));
  await button('Close search').tap();
  await deck.page.getByRole('search').waitFor({ state: 'detached' });
  await panel().getByRole('button', { name: 'Details' }).tap();
  await deck.page.getByRole('treeitem', { name: /^bash --norc/ }).waitFor();
  await button('Close').tap();
  await deck.page.getByRole('dialog').waitFor({ state: 'detached' });
  await button('Settings').tap();
  await button('Done').tap();
  await deck.page.getByRole('dialog').waitFor({ state: 'detached' });
});

test('notices lie over no bar: an ended session is resumed below them', async () => {
  const command = ['/bin/sh', '-c', 'echo life; exit 3'];
  const { session } = await server.post('/api/sessions', { name: 'short-lived', command });
  await deck.tab('short-lived').tap();
  await inReach(button('Resume'));
  // The memory of the machine is not to be had, and the page says so for as long as nobody dismisses it.
  await deck.page.route('**/resume', (route) =>
    route.fulfill({ status: 503, json: { error: { type: 'resource', code: 'RESOURCE_EXHAUSTED', message: 'Maximum resource capacity reached', details: 'Memory usage is at 95%. Cannot create new sessions.', suggestion: 'Close idle sessions before creating new ones.' } } }),
  );
  await button('Resume').tap();
  const notice = deck.page.getByText('Maximum resource capacity reached. Memory usage is at 95%. Cannot create new sessions. Close idle sessions before creating new ones.');
  await notice.waitFor();
  await inReach(button('Resume'));
  for (const name of ['Search', 'Destroy session short-lived']) await inReach(panel().getByRole('button', { name, exact: true }));
  await inReach(button('Dismiss'));
  await assertAccessible(deck.page, 'a notice on a phone');
  await deck.screenshot('notice-390');
  await deck.page.unroute('**/resume');
  await button('Resume').tap();
  await until('the program to have run twice', async () => (await server.output(session.id)).split('life').length === 3);
  await button('Dismiss').tap();
  await notice.waitFor({ state: 'detached' });
});

test('sessions are destroyed, the ended one at once and the running one when asked twice', async () => {
  await panel().getByRole('button', { name: 'Destroy session short-lived' }).tap();
  await deck.tab('short-lived').waitFor({ state: 'detached' });
  await panel().getByRole('button', { name: 'Destroy session pocket' }).tap();
  await inReach(button('Keep it'));
  await inReach(button('Destroy'));
  await button('Destroy').tap();
  await deck.page.getByRole('heading', { name: 'No sessions yet' }).waitFor();
  assert.deepEqual((await server.get('/api/sessions')).sessions, []);
});

test('through all of it: no error in the console but the refusal', () => {
  assert.deepEqual(deck.complaints.filter((text) => !/status of 503/.test(text)), []);
});
