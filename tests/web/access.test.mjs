// axe-core finds nothing in any state of the page, in dark and in light; and the keyboard alone is enough.

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { assertAccessible } from './support/axe.mjs';
import { openBrowser } from './support/browser.mjs';
import { startQuarterdeck } from './support/quarterdeck.mjs';

const open = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function start(options) {
  const server = await startQuarterdeck();
  open.push(() => server.stop());
  const deck = await openBrowser(server.url, options);
  open.push(() => deck.close());
  await deck.connected();
  await deck.page.getByTestId('memory').waitFor();
  return { server, deck, page: deck.page };
}

for (const colorScheme of ['dark', 'light']) {
  test(`axe-core finds nothing in the main states, ${colorScheme}`, async () => {
    // Colours on their way from one to another are not what is judged.
    const { server, deck, page } = await start({ colorScheme, reducedMotion: 'reduce' });
    const clean = async (state) => {
      await assertAccessible(page, state);
      await deck.screenshot(`${colorScheme}-${state}`);
    };
    await page.getByRole('heading', { name: 'No sessions yet' }).waitFor();
    await clean('empty');

    await page.getByRole('button', { name: 'New session' }).click();
    await page.getByLabel('Name').fill('bad name');
    await clean('dialog-error');
    await page.keyboard.press('Escape');

    await server.post('/api/sessions', { name: 'ended', command: ['/bin/sh', '-c', 'echo done; exit 3'] });
    await server.post('/api/sessions', { name: 'running' });
    await deck.tab('running').click();
    await clean('running');
    await deck.tab('ended').click();
    await page.getByRole('button', { name: 'Resume' }).waitFor();
    await clean('ended');
    await page.keyboard.press('Control+Shift+F');
    await page.getByLabel('Search the terminal').fill('done');
    await clean('search');
    await page.keyboard.press('Escape');

    await deck.tab('running').click();
    await page.getByRole('button', { name: 'Destroy session running' }).click();
    await page.getByRole('dialog').waitFor();
    await clean('destroy');
    await page.keyboard.press('Escape');

    await server.post('/api/sessions', {});
    await server.post('/api/sessions', {});
    await page.getByTestId('session-count').getByText('4/4').waitFor();
    await page.getByRole('button', { name: 'New session' }).click();
    await page.getByRole('alert').waitFor();
    await clean('limit');
    await page.keyboard.press('Escape');

    await page.setViewportSize({ width: 390, height: 844 });
    await clean('phone');

    await server.stop();
    const retry = page.getByRole('button', { name: 'Try now' });
    await retry.waitFor();
    const { x, width } = await retry.boundingBox();
    assert.ok(x + width <= 390, `the button ends at ${x + width}`);
    await clean('not-connected');
  });
}

test('a session is made, worked in, left, listed and destroyed without a mouse', async () => {
  const { deck, page } = await start();
  const focused = (name) => page.waitForFunction((wanted) => (document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent) === wanted, name);
  /** Tab until the focus is on what has this name. */
  const tabTo = async (name) => {
    for (let i = 0; i < 20; i++) {
      await page.keyboard.press('Tab');
      const at = await page.evaluate(() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent);
      if (at.startsWith(name)) return;
    }
    assert.fail(`Tab never came to ${name}`);
  };
  await tabTo('New session');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  // The suggested name is selected: typing replaces it.
  await page.keyboard.type('keys');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  const id = await deck.activeId();
  await page.keyboard.type('echo by-$((3 + 4))-keys\n');
  await deck.lineAppears(id, 'by-7-keys');

  await page.keyboard.press('Control+Shift+ArrowUp');
  await tabTo('New session');
  await tabTo('keys');
  await page.keyboard.press('Enter');
  await page.keyboard.type('echo back-$((3 + 4))\n');
  await deck.lineAppears(id, 'back-7');

  await page.keyboard.press('Control+Shift+ArrowUp');
  await page.keyboard.press('Delete');
  await page.getByRole('dialog').waitFor();
  await focused('Keep it');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'No sessions yet' }).waitFor();
});
