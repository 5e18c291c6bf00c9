// Large amounts in and out: pastes of 10 MB, and the output as a file.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { assertAccessible } from './support/axe.mjs';
import { openBrowser } from './support/browser.mjs';
import { startQuarterdeck } from './support/quarterdeck.mjs';
import { until } from './support/until.mjs';

const PASTED = Array.from({ length: 1_400_000 }, (_, i) => `${i} `).join('').slice(0, 10_000_000);
const digest = (bytes) => createHash('sha256').update(bytes).digest('hex');

let server;
let deck;

before(async () => {
  server = await startQuarterdeck(['--scrollback', '16MiB']);
  deck = await openBrowser(server.url);
  await deck.connected();
});
after(async () => {
  await deck?.close();
  await server?.stop();
});

async function startSession(name, command) {
  const { session } = await server.post('/api/sessions', { name, command });
  await deck.tab(name).click();
  return session.id;
}

/** As Ctrl+V does it. */
const paste = (text) =>
  deck.page.evaluate((pasted) => {
    const data = new DataTransfer();
    data.setData('text/plain', pasted);
    const target = document.querySelector('[role=tabpanel]:not([hidden]) .xterm-helper-textarea');
    target.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
  }, text);
const progress = () => deck.page.getByTestId('paste');

test('a paste of 10 MB arrives to the byte while its progress is shown', async () => {
  assert.equal(PASTED.length, 10_000_000);
  const id = await startSession('sum', ['/bin/bash', '-c', `stty raw -echo; echo ready; head -c ${PASTED.length} | sha256sum; read -r x`]);
  await deck.textAppears(id, 'ready');
  await paste(PASTED);
  await progress().getByText(/^Pasting: .* of 9\.5 MiB$/).waitFor();
  await deck.textAppears(id, digest(PASTED));
  await progress().waitFor({ state: 'detached' });
  assert.deepEqual(deck.complaints, []);
});

// Asks to be told of pastes, reads nothing until it may, and then keeps all it reads up to a Z.
const LATE_READER = `
  $| = 1; system "stty raw -echo"; print "\\e[?2004hready\\r\\n";
  select undef, undef, undef, 0.02 until -e $ARGV[0];
  open my $kept, ">", $ARGV[1];
  while (sysread STDIN, my $part, 65536) { syswrite $kept, $part; last if $part =~ /Z$/ }
  print "kept\\r\\n"; <STDIN>`;

test('a paste that is not read can be cancelled, and the program is told of its end', async () => {
  const [go, kept] = ['go', 'kept'].map((name) => path.join(server.directory, name));
  const id = await startSession('late', ['perl', '-e', LATE_READER, go, kept]);
  await deck.textAppears(id, 'ready');
  await paste(PASTED);
  await progress().getByRole('progressbar', { name: 'Pasting into late' }).waitFor();
  await assertAccessible(deck.page, 'pasting');
  await deck.screenshot('pasting');
  await progress().getByRole('button', { name: 'Cancel' }).press('Enter');
  await progress().waitFor({ state: 'detached' });
  await deck.page.getByText(/^The paste into late was cancelled; 9\.\d MiB of it were not sent\.$/).waitFor();
  await writeFile(go, '');
  await deck.page.locator('[role=tabpanel]:not([hidden]) .xterm').click();
  await deck.page.keyboard.type('Z');
  await deck.textAppears(id, 'kept');
  const [, text] = /^\x1b\[200~([^]*)\x1b\[201~Z$/.exec(await readFile(kept, 'latin1')) ?? assert.fail('not a paste between its marks and then a Z');
  assert.ok(text.length > 1_000 && text.length <= 64 * 1024, `${text.length} bytes`);
  assert.ok(PASTED.startsWith(text));
});

test('other terminals answer while one does not take its paste', async () => {
  const never = path.join(server.directory, 'never');
  const stuck = await startSession('stuck', ['perl', '-e', LATE_READER, never, never]);
  await deck.textAppears(stuck, 'ready');
  await paste(PASTED);
  await progress().waitFor();
  const quiet = await startSession('quiet', ['/bin/bash', '--norc']);
  await deck.page.locator('[role=tabpanel]:not([hidden]) .xterm').click();
  await deck.page.keyboard.type('echo still-$((5 + 5))\n');
  await deck.lineAppears(quiet, 'still-10');
  assert.equal(await progress().count(), 0, 'the bar is of the session on show');
});

test('the output is saved as a file, to the byte', async () => {
  const id = (await server.get('/api/sessions')).sessions.find((session) => session.name === 'quiet').id;
  await server.type(id, 'head -c 6000000 /dev/urandom | base64; echo all-$((1 + 1))-out\n');
  await until('the output to end', async () => (await server.output(id)).includes('all-2-out\r\n'));
  const saved = deck.page.waitForEvent('download');
  await deck.page.getByRole('tabpanel').getByRole('button', { name: 'Download the output' }).press('Enter');
  const download = await saved;
  assert.equal(download.suggestedFilename(), 'quiet.log');
  const bytes = await readFile(await download.path());
  assert.ok(bytes.byteLength > 8_000_000, `${bytes.byteLength} bytes`);
  assert.equal(digest(bytes), digest(await server.output(id)));
  assert.deepEqual(deck.complaints, []);
});
