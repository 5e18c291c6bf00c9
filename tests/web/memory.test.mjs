// Memory runs short for real, in a control group or with QUARTERDECK_TEST_IN=docker in a container: a session fills it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertAccessible } from './support/axe.mjs';
import { openBrowser } from './support/browser.mjs';
import { startHog } from './support/hog.mjs';
import { LIMIT_MIB, startShortOfMemory } from './support/shortage.mjs';
import { until } from './support/until.mjs';

const TOOLTIP = 'Memory critical - cannot create new sessions';

let server;
let deck;
let hog;

before(async () => {
  server = await startShortOfMemory();
  hog = await startHog(server);
  deck = await openBrowser(server.url);
});
after(async () => {
  await deck?.close();
  await server?.stop();
});

const banner = () => deck.page.getByTestId('resource-banner');
const memory = (level) => deck.page.getByTestId('memory').and(deck.page.locator(`[data-level=${level}]`));
const newSession = () => deck.page.getByRole('button', { name: 'New session' });

/** The percentage in a line of the server's log. */
function logged(pattern) {
  return until(`${pattern} in the log`, () => server.log.map((line) => JSON.parse(line).message?.match(pattern)?.[1]).find(Boolean));
}

test('while there is room the bar shows real figures and nobody is warned', async () => {
  await memory('normal').waitFor();
  const { memoryUsagePercent } = await server.get('/api/resources');
  const words = await memory('normal').getAttribute('aria-valuetext');
  assert.match(words, new RegExp(`^[\\d.]+ MiB of ${LIMIT_MIB} MiB, \\d+ %$`));
  assert.ok(Math.abs(Number(words.match(/(\d+) %/)[1]) - memoryUsagePercent) < 10, `${words}, the API says ${memoryUsagePercent}`);
  assert.equal(await banner().textContent(), '');
  assert.equal(await newSession().isEnabled(), true);
});

test('from 87 % the banner stands above everything and says so', async () => {
  await hog.creepTo(87, 'warning');
  await deck.page.getByText('High memory usage (87%). Consider closing idle sessions.', { exact: true }).waitFor();
  assert.equal(await logged(/^Memory usage high: (\d+)%$/), '87');
  await memory('warning').waitFor();
  assert.equal((await banner().boundingBox()).y, 0);
  assert.equal(await banner().evaluate((element) => getComputedStyle(element).backgroundColor), 'rgb(235, 203, 139)');
  assert.equal(await banner().getAttribute('role'), 'status');
  assert.equal(await banner().locator('svg').first().isVisible(), true);
  assert.equal(await newSession().isEnabled(), true);
  await assertAccessible(deck.page, 'warning');
  await deck.screenshot('memory-warning');
});

test('the list names the session that took the memory', async () => {
  const row = deck.page.getByRole('complementary').getByRole('button', { name: /^hog/ });
  await row.getByText(/^Memory [12]\d\d MiB/).waitFor();
  await row.getByText(/^Processes 1 /).waitFor();
  await row.getByText(/^CPU \d+ %/).waitFor();
});

test('dismissed by keyboard, it stays away while the level stays', async () => {
  await banner().getByRole('button').focus();
  await deck.page.keyboard.press('Enter');
  await deck.page.waitForFunction(() => document.querySelector('[data-testid=resource-banner]').textContent === '');
  await hog.fillTo(91);
  await deck.page.waitForFunction(() => Number(document.querySelector('[role=meter]').getAttribute('aria-valuenow')) >= 90);
  assert.equal(await banner().textContent(), '');
});

test('from 93 % it is back, and nothing can be created, also in a dialog that is open', async () => {
  await newSession().click();
  const create = deck.page.getByRole('button', { name: 'Create' });
  assert.equal(await create.isEnabled(), true);
  await hog.creepTo(93, 'critical');
  await deck.page.getByText('Memory critical (93%). Cannot create new sessions until memory is freed.', { exact: true }).waitFor();
  assert.equal(await logged(/^Memory critical: (\d+)%, blocking new sessions$/), '93');
  await memory('critical').waitFor();
  assert.equal(await create.isDisabled(), true);
  assert.equal(await create.getAttribute('title'), TOOLTIP);
  await assertAccessible(deck.page, 'critical, with the dialog');
  await deck.screenshot('memory-critical-dialog');
  await deck.page.keyboard.press('Escape');
  assert.equal(await newSession().isDisabled(), true);
  assert.equal(await newSession().getAttribute('title'), TOOLTIP);
  await deck.screenshot('memory-critical');
});

test('who comes now is told at once', async () => {
  await deck.page.reload();
  await banner().getByText(/^Memory critical \(\d+%\)\. Cannot create new sessions until memory is freed\.$/).waitFor();
  assert.equal(await newSession().isDisabled(), true);
});

test('on a phone held upright the banner wraps and nothing scrolls sideways', async () => {
  await deck.page.setViewportSize({ width: 390, height: 844 });
  assert.equal(await deck.overflows(), false);
  const { x, width } = await banner().getByRole('button').boundingBox();
  assert.ok(x + width <= 390, `the button to dismiss it ends at ${x + width}`);
  await assertAccessible(deck.page, 'critical, on a phone');
  await deck.screenshot('memory-critical-390');
  await deck.page.setViewportSize({ width: 1280, height: 800 });
});

test('when memory is free again the banner goes, the graph remembers, and a session can be made', async () => {
  await hog.end();
  await memory('normal').waitFor();
  await deck.page.getByText(/^Memory usage back to normal \(\d+%\)\.$/).waitFor();
  assert.equal(await banner().textContent(), '');
  const label = await deck.page.getByTestId('memory-graph').getAttribute('aria-label');
  assert.ok(Number(label.match(/highest (\d+) %/)[1]) >= 93, label);
  const id = await deck.createSession({ Name: 'after' });
  await deck.page.keyboard.type('echo again-$((2 * 4))\n');
  await deck.lineAppears(id, 'again-8');
  await deck.screenshot('memory-recovered');
  assert.deepEqual(deck.complaints, []);
});
