// One session in two browsers: whoever typed or focused last owns its size, the other one sees all of it all the same.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertAccessible } from './support/axe.mjs';
import { openBrowser } from './support/browser.mjs';
import { startQuarterdeck } from './support/quarterdeck.mjs';
import { until } from './support/until.mjs';

let server;
let large;
let small;
let id;

before(async () => {
  server = await startQuarterdeck();
  id = (await server.post('/api/sessions', { name: 'shared', command: ['/bin/bash', '--norc'] })).session.id;
  large = await openBrowser(server.url, { viewport: { width: 1400, height: 900 } });
  await large.connected();
});
after(async () => {
  await large?.close();
  await small?.close();
  await server?.stop();
});

const sizeIn = (deck) => deck.page.evaluate((session) => window.__quarterdeck.size(session), id);
const sizeOfSession = async () => {
  const { cols, rows } = (await server.get(`/api/sessions/${id}`)).session;
  return { cols, rows };
};
const same = (a, b) => a && b && a.cols === b.cols && a.rows === b.rows;
const takeOver = (deck) => deck.page.getByRole('button', { name: 'Take over size' });
const click = (deck) => deck.page.locator('[role=tabpanel]:not([hidden]) .xterm').click();
/** Whether all of the terminal is inside its panel. */
const fits = (deck) =>
  deck.page.evaluate(() => {
    const inner = document.querySelector('[role=tabpanel]:not([hidden]) .xterm-screen').getBoundingClientRect();
    const outer = document.querySelector('[role=tabpanel]:not([hidden]) .terminal-screen').getBoundingClientRect();
    return inner.left >= outer.left && inner.top >= outer.top && inner.right <= outer.right + 1 && inner.bottom <= outer.bottom + 1;
  });
/** Waits until `deck` owns the size; returns it. */
const owns = (deck) =>
  until('the session to have the size of this browser', async () => {
    const size = await sizeIn(deck);
    return (await takeOver(deck).count()) === 0 && same(size, await sizeOfSession()) && size;
  });

let sizeOfLarge;

test('alone, a browser owns the size', async () => {
  sizeOfLarge = await owns(large);
  assert.ok(sizeOfLarge.cols > 100, JSON.stringify(sizeOfLarge));
});

test('a second one that comes with the focus takes it, and the first one shows it in the middle, offering the way back', async () => {
  small = await openBrowser(server.url, { viewport: { width: 900, height: 500 } });
  await small.connected();
  const size = await owns(small);
  assert.ok(size.cols < sizeOfLarge.cols && size.rows < sizeOfLarge.rows, JSON.stringify(size));
  await takeOver(large).waitFor();
  assert.deepEqual(await sizeIn(large), size);
  await large.page.getByText('sized by another browser').waitFor();
  await assertAccessible(large.page, 'a foreign size');
  await large.screenshot('size-foreign-small');
});

test('a window that owns nothing may change as it likes', async () => {
  const before = await sizeOfSession();
  await large.page.setViewportSize({ width: 1300, height: 850 });
  await takeOver(large).waitFor();
  await small.page.keyboard.type('echo unmoved-$((6 + 6))\n');
  await large.lineAppears(id, 'unmoved-12');
  assert.deepEqual(await sizeOfSession(), before);
  await large.page.setViewportSize({ width: 1400, height: 900 });
});

test('taken over by keyboard, the size is that of the large window, and the small one shows all of it', async () => {
  await takeOver(large).press('Enter');
  assert.deepEqual(await owns(large), sizeOfLarge);
  await takeOver(small).waitFor();
  assert.deepEqual(await sizeIn(small), sizeOfLarge);
  await until('all of the terminal to be in sight', () => fits(small));
  await small.screenshot('size-foreign-large');
  await small.page.setViewportSize({ width: 390, height: 844 });
  // Letters that small can't be read: here the rest is scrolled to.
  await until('its left edge to be in sight', async () => {
    const [inner, outer] = await Promise.all(['.xterm-screen', '.terminal-screen'].map((part) => small.page.locator(`[role=tabpanel]:not([hidden]) ${part}`).boundingBox()));
    return inner.x >= outer.x;
  });
  for (const name of ['Take over size', 'Destroy session shared']) {
    const { x, width } = await small.page.getByRole('tabpanel').getByRole('button', { name }).boundingBox();
    assert.ok(x + width <= 390, `${name} ends at ${x + width}`);
  }
  await assertAccessible(small.page, 'a foreign size on a phone');
  await small.screenshot('size-foreign-390');
  await small.page.setViewportSize({ width: 900, height: 500 });
  await large.page.keyboard.type('tput cols\n');
  await large.lineAppears(id, String(sizeOfLarge.cols));
});

test('who goes into the terminal owns its size again, with letters as large as before', async () => {
  await click(small);
  const size = await owns(small);
  assert.ok(size.cols < sizeOfLarge.cols);
  assert.equal(await fits(small), true);
  await takeOver(large).waitFor();
});

test('who types owns it, too', async () => {
  // Its terminal has had the focus all the time.
  await large.page.keyboard.type('#');
  assert.deepEqual(await owns(large), sizeOfLarge);
  await takeOver(small).waitFor();
});

test('the owner’s window decides, also after the server was killed', async () => {
  await small.page.evaluate(() => {
    document.hasFocus = () => false;
  });
  process.kill((await server.get('/api/health')).pid, 'SIGKILL');
  await large.page.locator('[data-phase=waiting], [data-phase=connecting]').waitFor();
  await Promise.all([large.connected(), small.connected()]);
  await large.page.setViewportSize({ width: 1200, height: 900 });
  await until('fewer columns', async () => (await sizeIn(large)).cols < sizeOfLarge.cols);
  const size = await owns(large);
  await until('the other one to follow', async () => same(await sizeIn(small), size));
});
