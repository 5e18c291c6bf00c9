// Takes the pictures of the documentation: the real binary, sessions at work, and Chromium. `scripts/screenshots` runs it.

import { totalmem } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { openBrowser } from '../support/browser.mjs';
import { startQuarterdeck } from '../support/quarterdeck.mjs';
import { fillMemory, makeShop, startWork } from './shop.mjs';

const images = fileURLToPath(new URL('../../../docs/images/', import.meta.url));
const GIBIBYTE = 2 ** 30;
const LARGE = { width: 1200, height: 750 };
const PHONE = { width: 390, height: 780 };
/** Pixels of the picture for one of the page. */
const SCALE = 1.5;

const shop = makeShop();
try {
  // Without a limit of its own a machine is never short of memory; with one not far above what is used, a session can fill it.
  const limit = Math.ceil(Math.max(2 * GIBIBYTE, (totalmem() - process.availableMemory()) * 1.5) / GIBIBYTE);
  const server = await startQuarterdeck(['--memory-limit', `${limit}GiB`]);
  try {
    await takePictures(server);
  } finally {
    await server.stop();
  }
} finally {
  shop.remove();
}

async function takePictures(server) {
  const deck = await openBrowser(server.url, { viewport: LARGE, deviceScaleFactor: SCALE, reducedMotion: 'reduce' });
  try {
    const { page } = deck;
    const ids = await startWork(server, deck);
    const level = (name) => page.getByTestId('memory').and(page.locator(`[data-level=${name}]`)).waitFor();

    await deck.tab('shell').click();
    await page.keyboard.type('git log --oneline --stat\n');
    await deck.textAppears(ids.shell, 'prices.mjs |');
    await deck.tab('checkout').click();
    await figuresAppear(page);
    await take(page, 'overview');
    await page.getByRole('button', { name: 'Dismiss' }).click();

    await page.emulateMedia({ colorScheme: 'light' });
    await deck.tab('shell').click();
    await take(page, 'light');
    await page.emulateMedia({ colorScheme: 'dark' });

    await deck.tab('tests').click();
    await take(page, 'ended');

    await deck.tab('server').click();
    await page.getByRole('tabpanel').getByRole('button', { name: 'Details' }).click();
    await page.getByRole('dialog', { name: /^Details of / }).waitFor();
    await take(page, 'details');
    await page.keyboard.press('Escape');

    await fillMemory(server, ids.server, 88.5);
    await level('warning');
    await take(page, 'memory-warning');

    await server.destroy(ids.tests);
    await page.getByRole('button', { name: 'New session' }).click();
    await fillMemory(server, ids.server, 94);
    await level('critical');
    await take(page, 'memory-critical');
    await page.keyboard.press('Escape');

    await page.setViewportSize(PHONE);
    await deck.tab('checkout').click();
    await take(page, 'phone');
  } finally {
    await deck.close();
  }
}

/** The tests have ended, and the figures of the other sessions are known: CPU takes two readings. */
async function figuresAppear(page) {
  const rows = page.getByRole('complementary').getByRole('listitem');
    await rows.filter({ hasText: 'failed' }).waitFor();
  for (const row of await rows.filter({ hasNotText: 'failed' }).all()) await row.filter({ hasText: /CPU \d+ %/ }).waitFor();
}

async function take(page, name) {
  await page.mouse.move(0, 0);
  await page.screenshot({ path: path.join(images, `${name}.png`), animations: 'disabled' });
}
