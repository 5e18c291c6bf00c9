// Beyond loopback: Debian's nginx in front, with TLS, by the example file that we ship.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { openBrowser } from './support/browser.mjs';
import { assertNumberedLines, numberedLines } from './support/lines.mjs';
import { NAME, startNginx } from './support/nginx.mjs';
import { freePort } from './support/port.mjs';
import { startQuarterdeck } from './support/quarterdeck.mjs';

const TOKEN = 'a-token-that-only-this-test-knows';
const bearer = { Authorization: `Bearer ${TOKEN}` };
const json = { 'Content-Type': 'application/json' };

let directory;
let server;
let nginx;
let deck;

before(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'quarterdeck-token-'));
  await writeFile(path.join(directory, 'token'), TOKEN, { mode: 0o600 });
  const port = await freePort();
  const flags = ['--token-file', path.join(directory, 'token'), '--allow-host', NAME, '--allow-origin', `https://${NAME}:${port}`];
  server = await startQuarterdeck(flags);
  nginx = await startNginx(port, new URL(server.url).host);
  deck = await openBrowser(nginx.url, { ignoreHTTPSErrors: true, reducedMotion: 'reduce' }, `${nginx.url}/#token=${TOKEN}`);
});
after(async () => {
  await deck?.close();
  await nginx?.end();
  await server?.stop();
  await rm(directory, { recursive: true });
});

/** What the page itself is answered. */
const fetched = (route, options) =>
  deck.page.evaluate(async ([route, options]) => {
    const response = await fetch(route, options);
    return { status: response.status, body: await response.json() };
  }, [route, options]);

test('the page comes by TLS, logs in, and its terminal works', async () => {
  await deck.connected();
  assert.equal(deck.page.url(), `${nginx.url}/`);
  const id = await deck.createSession({ Name: 'far', Command: 'bash --norc' });
  await deck.page.keyboard.type('echo through-$((20 + 3))\n');
  await deck.lineAppears(id, 'through-23');
  assert.deepEqual(deck.foreign, []);
  const cookies = await deck.page.context().cookies();
  assert.deepEqual(cookies.map(({ secure, httpOnly, sameSite }) => ({ secure, httpOnly, sameSite })), [{ secure: true, httpOnly: true, sameSite: 'Strict' }]);
});

test('when nginx is started again nothing is lost or doubled', async () => {
  const { body } = await fetched('/api/sessions', { method: 'POST', headers: json, body: JSON.stringify({ name: 'counting', command: numberedLines(4_000, 0.02) }) });
  await deck.lineAppears(body.session.id, 'line-200');
  await nginx.stop();
  await deck.page.getByRole('button', { name: 'Try now' }).waitFor();
  await nginx.start();
  await deck.page.getByRole('button', { name: 'Try now' }).click({ timeout: 1_000 }).catch(() => {});
  await deck.connected();
  assertNumberedLines(await deck.lineAppears(body.session.id, 'end'), 4_000);
});

test('limits are told in the words of quarterdeck', async () => {
  const { body } = await fetched('/api/sessions', { method: 'POST', headers: json, body: '{"name":"large"}' });
  const tooMuch = await deck.page.evaluate(async (id) => {
    const response = await fetch(`/api/sessions/${id}/input`, { method: 'POST', body: 'x'.repeat((1 << 20) + 1) });
    return { status: response.status, code: (await response.json()).code };
  }, body.session.id);
  assert.deepEqual(tooMuch, { status: 413, code: 'PAYLOAD_TOO_LARGE' });
  await fetched('/api/sessions', { method: 'POST', headers: json, body: '{"name":"fourth"}' });
  const fifth = await fetched('/api/sessions', { method: 'POST', headers: json, body: '{"name":"fifth"}' });
  assert.equal(fifth.status, 409);
  assert.equal(fifth.body.error.message, 'Maximum 4 sessions supported. Destroy a session to create a new one.');
  const closed = await deck.page.evaluate(
    () =>
      new Promise((resolve) => {
        const socket = new WebSocket(`wss://${location.host}/ws`);
        socket.onopen = () => socket.send('x'.repeat((1 << 20) + 1));
        socket.onclose = ({ code }) => resolve(code);
      }),
  );
  assert.equal(closed, 1009);
});

test('strangers are refused there as anywhere', async () => {
  const code = async (options) => {
    const { status, text } = await nginx.ask('/api/sessions', options);
    return [status, JSON.parse(text).code];
  };
  assert.deepEqual(await code(), [401, 'UNAUTHORIZED']);
  assert.deepEqual(await code({ headers: { Authorization: 'Bearer guessed' } }), [401, 'UNAUTHORIZED']);
  assert.deepEqual(await code({ headers: { ...bearer, Host: 'rebound.example' } }), [403, 'HOST_NOT_ALLOWED']);
  assert.deepEqual(await code({ headers: { ...bearer, Origin: 'https://elsewhere.example' } }), [403, 'ORIGIN_NOT_ALLOWED']);
  assert.equal((await nginx.ask('/api/sessions', { headers: bearer })).status, 200);
});
