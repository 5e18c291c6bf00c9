// Takes the pictures of the documentation: the real binary, sessions at work, and Chromium. `scripts/screenshots` runs it.

import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { openBrowser } from '../support/browser.mjs';
import { startQuarterdeck } from '../support/quarterdeck.mjs';
import { fillMemory, makeShop, removeShop, SHOP, startWork } from './shop.mjs';

const images = fileURLToPath(new URL('../../../docs/images/', import.meta.url));
const GIBIBYTE = 2 ** 30;
const LARGE = { width: 1200, height: 750 };
const PHONE = { width: 390, height: 780 };
/** Pixels of the picture for one of the page. */
const SCALE = 1.5;

makeShop();
try {
  // The agent calls quarterdeck by its name.
  const server = await startQuarterdeck(['--memory-limit', await limitInReach()], 'PATH="$(dirname "$0"):$PATH"', SHOP);
  try {
    await takePictures(server);
  } finally {
    await server.stop();
  }
} finally {
  removeShop();
}

/** A machine is seldom short of memory; with a limit not far above what is used a session can make it so. */
async function limitInReach() {
  const server = await startQuarterdeck();
  const { memoryUsedBytes } = await server.get('/api/resources');
  await server.stop();
  return `${Math.ceil(Math.max(2 * GIBIBYTE, memoryUsedBytes * 1.5) / GIBIBYTE)}GiB`;
}

async function takePictures(server) {
  const deck = await openBrowser(server.url, { viewport: LARGE, deviceScaleFactor: SCALE, reducedMotion: 'reduce' });
  try {
    const ids = await startWork(server, deck);
    await sessionsAtWork(deck, ids);
    await memoryShort(server, deck, ids);
  } finally {
    await deck.close();
  }
}

async function sessionsAtWork(deck, ids) {
  const { page } = deck;
  await deck.tab('shell').click();
  await page.keyboard.type('git log --oneline --stat -3\n');
  await deck.textAppears(ids.shell, 'prices.check.mjs |');
  await deck.tab('checkout').click();
  await figuresAppear(page);
  await take(page, 'overview');
  await page.getByRole('button', { name: 'Dismiss' }).click();

  await page.setViewportSize(PHONE);
  await sizeSettles(page, ids.checkout);
  await take(page, 'phone');
  await page.setViewportSize(LARGE);

  await page.emulateMedia({ colorScheme: 'light' });
  await deck.tab('shell').click();
  await sizeSettles(page, ids.shell);
  await take(page, 'light');
  await page.emulateMedia({ colorScheme: 'dark' });

  await deck.tab('tests').click();
  await take(page, 'ended');
}

async function memoryShort(server, deck, ids) {
  const { page } = deck;
  await deck.tab('server').click();
  await fillMemory(server, ids.server, 89);
  await page.getByText(/^High memory usage/).waitFor();
  await sizeSettles(page, ids.server);
  await take(page, 'memory-warning');

  await page.getByRole('tabpanel').getByRole('button', { name: 'Details' }).click();
  const details = page.getByRole('dialog', { name: /^Details of / });
  // What it has just taken, not the few megabytes of before.
  await details.getByText(/^now (\d{3} MiB|[\d.]+ GiB)/).waitFor();
  await take(page, 'details');
  await page.keyboard.press('Escape');

  // Only below the limit of sessions is it the memory that forbids another one.
  await server.destroy(ids.tests);
  await page.getByRole('button', { name: 'New session' }).click();
  await fillMemory(server, ids.server, 95);
  await page.getByText(/^Memory critical \(/).waitFor();
  await take(page, 'memory-critical');
}

/** The tests have ended, and the figures of the other sessions are known: CPU takes two readings. */
async function figuresAppear(page) {
  const rows = page.getByRole('complementary').getByRole('listitem');
  await rows.filter({ hasText: 'failed' }).waitFor();
  for (const row of await rows.filter({ hasNotText: 'failed' }).all()) await row.filter({ hasText: /CPU \d+ %/ }).waitFor();
}

/** The session has the size of its terminal, which has that of its room. */
async function sizeSettles(page, sessionId) {
  await page.waitForFunction((id) => {
    const { cols, rows } = window.__quarterdeck.size(id);
    return document.getElementById(`panel-${id}`).textContent.includes(`${cols}×${rows}`);
  }, sessionId);
}

async function take(page, name) {
  await page.mouse.move(0, 0);
  await page.screenshot({ path: path.join(images, `${name}.png`), animations: 'disabled' });
}
