// What the user sees is what the program wrote: over reloads, a killed server
// and floods, nothing is lost, doubled, or typed by the terminal itself.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, test } from 'node:test';
import { openBrowser } from './support/browser.mjs';
import { assertNumberedLines, numberedLines } from './support/lines.mjs';
import { startQuarterdeck } from './support/quarterdeck.mjs';
import { until } from './support/until.mjs';

const open = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function start(options = []) {
  const server = await startQuarterdeck(options);
  open.push(() => server.stop());
  return server;
}

async function browse(server) {
  const deck = await openBrowser(server.url);
  open.push(() => deck.close());
  await deck.connected();
  return deck;
}

async function createSession(server, command, name) {
  return (await server.post('/api/sessions', { command, name })).session.id;
}

/** The content of a file as soon as it has all of `parts`. */
async function contentWith(file, parts) {
  let content = '';
  await until(`${JSON.stringify(parts)} in ${file}`, async () => {
    content = await readFile(file, 'latin1').catch(() => '');
    return parts.every((part) => content.includes(part));
  });
  return content;
}

test('a reload shows all of it again, once', async () => {
  const server = await start();
  const deck = await browse(server);
  const id = await createSession(server, numberedLines(5_000));
  assertNumberedLines(await deck.lineAppears(id, 'end'), 5_000);
  await deck.page.reload();
  assertNumberedLines(await deck.lineAppears(id, 'end'), 5_000);
  await deck.screenshot('reloaded');
});

test('a reload in the middle of output goes over from history to live without a seam', async () => {
  const server = await start();
  const deck = await browse(server);
  const id = await createSession(server, numberedLines(6_000, 0.01));
  await deck.lineAppears(id, 'line-1000');
  await deck.page.reload();
  await deck.lineAppears(id, 'line-1500');
  await deck.page.reload();
  assertNumberedLines(await deck.lineAppears(id, 'end'), 6_000);
});

test('the tab on show is the same after a reload', async () => {
  const server = await start();
  await createSession(server, undefined, 'left');
  await createSession(server, undefined, 'right');
  const deck = await browse(server);
  await deck.tab('right').click();
  await deck.page.reload();
  await deck.tab('right').and(deck.page.locator('[aria-selected=true]')).waitFor();
});

test('the server is killed while output flows: the page comes back by itself and misses nothing', async () => {
  const server = await start();
  const deck = await browse(server);
  const visible = await createSession(server, numberedLines(8_000, 0.01), 'visible');
  await deck.tab('visible').waitFor();
  const hidden = await createSession(server, numberedLines(8_000, 0.01), 'hidden');
  for (const line of ['line-1500', 'line-3500', 'line-5500']) {
    await deck.lineAppears(visible, line);
    const { pid } = await server.get('/api/health');
    process.kill(pid, 'SIGKILL');
    await deck.page.locator('[data-phase=waiting], [data-phase=connecting]').waitFor();
    await deck.connected();
    assert.notEqual((await server.get('/api/health')).pid, pid);
  }
  assertNumberedLines(await deck.lineAppears(visible, 'end'), 8_000);
  assertNumberedLines(await deck.lineAppears(hidden, 'end'), 8_000);
  await deck.screenshot('after-kill');
  // The keyboard works as before.
  await deck.page.getByRole('tabpanel').locator('.xterm').first().click();
  await deck.page.keyboard.press('Enter');
  await deck.page.getByText('The program ended with exit code 0.').waitFor();
});

test('history that is no longer kept is named, and the rest is whole', async () => {
  const server = await start(['--scrollback', '256KiB']);
  // Wide lines: all that is kept fits into the terminal's own scrollback.
  const padding = ' '.padEnd(40, '.');
  const id = await createSession(server, ['/bin/bash', '-c', `seq -f 'line-%.0f${padding}' 20000; echo end; read -r x`]);
  const total = Array.from({ length: 20_000 }, (_, i) => `line-${i + 1}${padding}\r\n`).join('').length + 'end\r\n'.length;
  await until('all output to be written', async () => (await server.get(`/api/sessions/${id}`)).session.outputOffset >= total);
  const deck = await browse(server);
  const lines = (await deck.lineAppears(id, 'end')).map((line) => line.replace(padding, ''));
  const note = lines.findIndex((line) => / bytes skipped: they are no longer kept]$/.test(line));
  assert.ok(note >= 0, lines.slice(0, 5).join('\n'));
  // The first line after the note may begin in its middle.
  const rest = lines.slice(note + 2);
  const first = Number(rest[0].replace('line-', ''));
  assert.ok(first > 1, rest[0]);
  assertNumberedLines(rest, 20_000, first);
});

test('a flood passes by: the last lines are all there and other terminals answer meanwhile', async () => {
  const server = await start();
  const deck = await browse(server);
  const flood = await createSession(server, numberedLines(1_000_000), 'flood');
  const quiet = await createSession(server, undefined, 'quiet');
  await deck.tab('quiet').click();
  await deck.page.keyboard.type('echo still-$((5 + 5))\n');
  await deck.lineAppears(quiet, 'still-10');
  const lines = await deck.lineAppears(flood, 'end');
  assertNumberedLines(lines, 1_000_000, 1_000_000 - lines.length + 2);
});

test('a page that nobody looks at does not slow the program down', async () => {
  const server = await start();
  const deck = await browse(server);
  // What browsers do to a hidden page: timers once a second, no frames.
  await deck.page.addInitScript(() => {
    const timer = window.setTimeout;
    Object.defineProperty(document, 'hidden', { get: () => true });
    window.setTimeout = (callback, delay, ...rest) => timer(callback, Math.max(1_000, delay ?? 0), ...rest);
    window.requestAnimationFrame = () => 0;
  });
  await deck.page.reload();
  await deck.connected();
  // 12.9 MB: with one window of 256 KiB a second this would take 50 s.
  const id = await createSession(server, numberedLines(1_000_000), 'unseen');
  const lines = await deck.lineAppears(id, 'end');
  assertNumberedLines(lines, 1_000_000, 1_000_000 - lines.length + 2);
});

test('old questions of programs are answered live and not again after a reload', async () => {
  const server = await start();
  const deck = await browse(server);
  const heard = path.join(server.directory, 'heard');
  const questions = '\\e[c\\e[6n\\e]11;?\\a\\e[?2026$p';
  const script = `stty raw -echo; head -c 1 >/dev/null; printf '${questions}asked'; exec cat >'${heard}'`;
  const id = await createSession(server, ['/bin/bash', '-c', script], 'asker');
  await deck.tab('asker').click();
  await deck.page.keyboard.type('x');
  await deck.textAppears(id, 'asked');
  const answers = ['\x1b[?1;2c', 'R', '\x1b]11;rgb:', '\x1b[?2026;'];
  const before = await contentWith(heard, answers);
  await deck.page.reload();
  await deck.textAppears(id, 'asked');
  await deck.page.getByRole('tabpanel').locator('.xterm').click();
  await deck.page.keyboard.type('Z');
  assert.equal(await contentWith(heard, ['Z']), `${before}Z`);
});

test('a large paste arrives whole and in order', async () => {
  const server = await start();
  const deck = await browse(server);
  const pasted = Array.from({ length: 60_000 }, (_, i) => `${i} `).join('');
  const target = path.join(server.directory, 'pasted');
  const script = `stty raw -echo; echo ready; head -c ${pasted.length} >'${target}'; echo taken`;
  const id = await createSession(server, ['/bin/bash', '-c', script], 'paste');
  await deck.textAppears(id, 'ready');
  await deck.page.evaluate((text) => {
    const data = new DataTransfer();
    data.setData('text/plain', text);
    const target = document.querySelector('[role=tabpanel]:not([hidden]) .xterm-helper-textarea');
    target.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true }));
  }, pasted);
  await deck.textAppears(id, 'taken');
  assert.equal(await readFile(target, 'latin1'), pasted);
});
