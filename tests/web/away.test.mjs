// The line breaks, falls silent, or loses its server while somebody types: the page says so, comes back by itself, and
// nothing is lost, doubled or out of order.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, test } from 'node:test';
import { assertAccessible } from './support/axe.mjs';
import { openBrowser } from './support/browser.mjs';
import { assertNumberedLines, numberedLines } from './support/lines.mjs';
import { freePort } from './support/port.mjs';
import { startQuarterdeck } from './support/quarterdeck.mjs';
import { until } from './support/until.mjs';
import { startWire } from './support/wire.mjs';

const open = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function start() {
  const port = await freePort();
  const server = await startQuarterdeck(['--allow-origin', `http://127.0.0.1:${port}`]);
  open.push(() => server.stop());
  const wire = await startWire(server.url, port);
  open.push(() => wire.stop());
  const deck = await openBrowser(wire.url, { reducedMotion: 'reduce' });
  open.push(() => deck.close());
  await deck.connected();
  return { server, wire, deck };
}

const lost = (deck) => deck.page.getByRole('button', { name: 'Try now' }).waitFor();
const away = (deck) => deck.page.getByTestId('away');
const terminal = (deck) => deck.page.locator('[role=tabpanel]:not([hidden]) .xterm');

test('offline the page says what that means, and online it is back at once with all that was missed', async () => {
  const { server, wire, deck } = await start();
  const { session } = await server.post('/api/sessions', { name: 'counting', command: numberedLines(4_000, 0.02) });
  await deck.lineAppears(session.id, 'line-200');
  await deck.page.context().setOffline(true);
  wire.cut();
  await lost(deck);
  await away(deck).getByText('what you type is not sent').waitFor();
  await assertAccessible(deck.page, 'away');
  await deck.screenshot('away');
  await terminal(deck).click();
  await deck.page.keyboard.type('x');
  await deck.page.getByText('Not connected: what you type is not sent.').waitFor();
  // Long enough that the next attempt by itself is seconds away.
  await until('much to be missed', async () => (await server.output(session.id)).includes('line-3000\r\n'));
  wire.mend();
  const before = Date.now();
  await deck.page.context().setOffline(false);
  await deck.connected();
  assert.ok(Date.now() - before < 2_000, `it took ${Date.now() - before} ms`);
  await away(deck).waitFor({ state: 'detached' });
  assertNumberedLines(await deck.lineAppears(session.id, 'end'), 4_000);
});

test('a line that fell silent is noticed when the network is back, and left for a new one', async () => {
  const { server, wire, deck } = await start();
  const { session } = await server.post('/api/sessions', { name: 'counting', command: numberedLines(2_000, 0.02) });
  await deck.lineAppears(session.id, 'line-200');
  wire.silence();
  await deck.page.context().setOffline(true);
  await until('output that nobody sees', async () => (await server.output(session.id)).includes('line-1500\r\n'));
  await deck.page.context().setOffline(false);
  await lost(deck);
  wire.mend();
  await deck.page.getByRole('button', { name: 'Try now' }).click();
  assertNumberedLines(await deck.lineAppears(session.id, 'end'), 2_000);
});

test('the server is killed while somebody types: no key comes twice or out of order, and what is lost is told', async (t) => {
  const { server, deck } = await start();
  const heard = path.join(server.directory, 'heard');
  const script = `stty raw -echo; echo ready; exec cat >'${heard}'`;
  const { session } = await server.post('/api/sessions', { name: 'typed', command: ['/bin/bash', '-c', script] });
  await deck.textAppears(session.id, 'ready');
  await terminal(deck).click();
  const words = Array.from({ length: 400 }, (_, i) => String(1_000 + i));
  const content = () => readFile(heard, 'latin1').catch(() => '');
  // Each kill comes in the middle of the typing, not between two rounds of it.
  const kills = [1_050, 1_150, 1_250].map(async (word) => {
    await until(`${word} to be typed`, async () => (await content()).includes(String(word)) || typed > word);
    process.kill((await server.get('/api/health')).pid, 'SIGKILL');
  });
  let typed = 0;
  for (const word of words) {
    typed = Number(word);
    await deck.page.keyboard.type(`${word} `);
  }
  await Promise.all(kills);
  await deck.connected();
  // The keyboard is where it was.
  await deck.page.keyboard.type('last\n');
  await until('the last word to arrive', async () => (await content()).endsWith('last\r'));
  const arrived = (await content()).split(/[ \r]/).filter((word) => /^\d{4}$/.test(word)).map(Number);
  const wrong = arrived.findIndex((word, i) => i > 0 && word <= arrived[i - 1]);
  assert.equal(wrong, -1, `${arrived.slice(Math.max(0, wrong - 2), wrong + 2)}`);
  assert.ok(arrived.length > 100, `${arrived.length} words arrived`);
  t.diagnostic(`${arrived.length} of ${words.length} words arrived`);
  if (arrived.length < words.length) {
    const told = deck.page.getByText(/what you type is not sent|bytes of input for typed on the way/);
    assert.ok((await told.count()) > 0, `${words.length - arrived.length} words are lost and nobody was told`);
  }
});
