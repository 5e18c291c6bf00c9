// A daemon outlives its session, the sweep ends it, and whoever has the page open is told.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { assertAccessible } from './support/axe.mjs';
import { openBrowser } from './support/browser.mjs';
import { startQuarterdeck } from './support/quarterdeck.mjs';
import { until } from './support/until.mjs';

let directory;
let server;
let deck;

// What is of a session ends with it, whatever it does. So the main command leaves behind a process with the mark of a
// session that is gone, as often as a file with that mark appears.
const LEAVE_BEHIND = `
  for n in 1 2 3 4; do
    until [ -s "$0/$n" ]; do sleep 0.05; done
    (QUARTERDECK_SESSION_ID=$(cat "$0/$n") sleep 4711 &)
  done
  exec sleep 4712`;

before(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'quarterdeck-sweep-'));
  server = await startQuarterdeck(['--', '/bin/sh', '-c', LEAVE_BEHIND, directory]);
  deck = await openBrowser(server.url, { reducedMotion: 'reduce' });
  await deck.connected();
});
after(async () => {
  await deck?.close();
  await server?.stop();
  await rm(directory, { recursive: true, force: true });
});

const chip = () => deck.page.getByRole('banner').getByRole('status').locator('[title^="Process "]');

/** Has the main command leave a process behind; returns the report of the sweep that ended it. */
async function leaveBehind(number) {
  const { session } = await server.post('/api/sessions', { command: ['/bin/sh', '-c', 'read -r x'] });
  await server.destroy(session.id);
  await writeFile(path.join(directory, String(number)), session.id);
  return until('a sweep to end what was left behind', async () => {
    const { killed } = await server.post('/api/sweep', {});
    return killed.length > 0 && killed;
  });
}

test('while there is nothing to sweep nothing is told', async () => {
  assert.deepEqual((await server.post('/api/sweep', {})).killed, []);
  assert.equal(await chip().count(), 0);
});

test('what the sweep ended is told in the top bar, with its name and the reason', async () => {
  const [killed] = await leaveBehind(1);
  await chip().getByText('1 leftover process ended').waitFor();
  assert.equal(await chip().getAttribute('title'), `Process ${killed.pid} (sleep) was ended: its session is gone.`);
  await chip().press('Enter');
  await deck.page.getByRole('paragraph').getByText(`Process ${killed.pid} (sleep) was ended: its session is gone.`).waitFor();
  await assertAccessible(deck.page, 'swept');
  await deck.screenshot('swept');
});

test('several are told as one, also in small windows', async () => {
  await leaveBehind(2);
  const [last] = await leaveBehind(3);
  await chip().getByText('3 leftover processes ended').waitFor();
  assert.ok((await chip().getAttribute('title')).startsWith(`Process ${last.pid} `));
  for (const [width, height] of [[1024, 700], [390, 844]]) {
    await deck.page.setViewportSize({ width, height });
    assert.equal(await deck.overflows(), false, `${width} wide`);
    assert.equal(await chip().isVisible(), true);
  }
  await deck.screenshot('swept-390');
  await deck.page.setViewportSize({ width: 1280, height: 800 });
});

test('after half a minute it is gone, and who comes later is told nothing', async () => {
  await deck.page.clock.install();
  await deck.page.reload();
  await deck.connected();
  assert.equal(await chip().count(), 0);
  await leaveBehind(4);
  await chip().waitFor();
  await deck.page.clock.fastForward(30_000);
  await chip().waitFor({ state: 'detached' });
  assert.deepEqual(deck.complaints, []);
});
