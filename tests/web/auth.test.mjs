// Logging in at the page, and what pages of other ports can do: nothing.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { assertAccessible } from './support/axe.mjs';
import { openBrowser } from './support/browser.mjs';
import { freePort } from './support/port.mjs';
import { startQuarterdeck } from './support/quarterdeck.mjs';
import { until } from './support/until.mjs';
import { startWire } from './support/wire.mjs';

const TOKEN = 'the-token-of-this-test';
const NEXT = 'the-token-that-comes-next';

let server;
let directory;
let file;
let stranger;

before(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'quarterdeck-token-'));
  file = path.join(directory, 'token');
  await writeFile(file, TOKEN, { mode: 0o600 });
  server = await startQuarterdeck(['--token-file', file]);
  stranger = createServer((_, answer) => answer.setHeader('Content-Type', 'text/html').end('<title>another page</title>')).listen(0, '127.0.0.1');
  await once(stranger, 'listening');
});
after(async () => {
  stranger?.close();
  await server?.stop();
  await rm(directory, { recursive: true, force: true });
});

/** As with a token: the same requests that a browser without one makes. */
const asHolder = (token = TOKEN) => ({ headers: { Authorization: `Bearer ${token}` } });
const sessions = async (token) => (await (await fetch(`${server.url}/api/sessions`, asHolder(token))).json()).sessions;
const form = (deck) => deck.page.getByLabel('Token', { exact: true });

async function withBrowser(address, body) {
  const deck = await openBrowser(server.url, {}, address);
  try {
    await body(deck);
  } finally {
    await deck.close();
  }
}

test('an address with the token leads in, and the token leaves the address bar before anything else', () =>
  withBrowser(`${server.url}/#token=${TOKEN}`, async (deck) => {
    await deck.connected();
    assert.equal(deck.page.url(), `${server.url}/`);
    const traces = await deck.page.evaluate(() => [location.href, document.referrer, document.cookie, JSON.stringify({ ...localStorage, ...sessionStorage }), document.documentElement.outerHTML].join());
    assert.ok(!traces.includes(TOKEN), 'nothing that a script can read holds the token');
    await deck.page.reload();
    await deck.connected();
    await deck.page.goBack();
    assert.ok(!deck.page.url().includes(TOKEN), 'nor does the history');
    assert.deepEqual(deck.complaints, []);
    assert.deepEqual(deck.foreign, []);
  }));

test('without a login there is a form, by keyboard, in words, and axe-core finds nothing', () =>
  withBrowser(server.url, async (deck) => {
    await form(deck).waitFor();
    assert.deepEqual(deck.complaints, [], 'nothing was tried that had to fail');
    await assertAccessible(deck.page, 'the form');
    await deck.screenshot('login');
    assert.ok(await form(deck).evaluate((field) => field === document.activeElement), 'the form has the keyboard');
    await deck.page.keyboard.type('a-wrong-one');
    await deck.page.keyboard.press('Enter');
    const alert = deck.page.getByRole('alert').filter({ hasText: 'This token is not the right one' });
    await alert.waitFor();
    await assertAccessible(deck.page, 'the form with an error');
    await deck.screenshot('login-wrong');
    await deck.page.keyboard.type(TOKEN);
    await deck.page.keyboard.press('Enter');
    await deck.connected();
    assert.equal(await form(deck).count(), 0);
    await deck.page.reload();
    await deck.connected();
    await deck.page.getByRole('button', { name: 'Settings' }).click();
    await deck.page.getByRole('button', { name: 'Log out' }).click();
    await form(deck).waitFor();
    await deck.page.reload();
    await form(deck).waitFor();
  }));

test('a wrong token in the address leads to the form', () =>
  withBrowser(`${server.url}/#token=wrong`, async (deck) => {
    await deck.page.getByRole('alert').filter({ hasText: 'This token is not the right one' }).waitFor();
    assert.equal(deck.page.url(), `${server.url}/`);
  }));

test('a page of another port can neither open the socket nor make a session, with and without cookie', async () => {
  const port = new URL(server.url).port;
  const name = `http://localhost:${port}`;
  await withBrowser(`${name}/#token=${TOKEN}`, async (deck) => {
    await deck.connected();
    // In the same browser and of the same site, so that the cookie is sent along.
    const popup = deck.page.waitForEvent('popup');
    await deck.page.evaluate((address) => void window.open(address), `http://localhost:${stranger.address().port}/`);
    const elsewhere = await popup;
    await elsewhere.waitForLoadState();
    for (const credentials of ['include', 'omit']) {
      const outcome = await elsewhere.evaluate(
        async ([api, credentials]) => {
          const socket = await new Promise((resolve) => {
            const opened = new WebSocket(`${api.replace('http', 'ws')}/ws`);
            opened.onopen = () => resolve('open');
            opened.onerror = () => resolve('refused');
          });
          const tried = async (options) =>
            fetch(`${api}/api/sessions`, { credentials, ...options }).then(
              async (answer) => `${answer.type} ${answer.status} ${await answer.text()}`,
              () => 'refused',
            );
          return {
            socket,
            json: await tried({ method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' }),
            simple: await tried({ method: 'POST', mode: 'no-cors', body: '' }),
            read: await tried({}),
            blind: await tried({ mode: 'no-cors' }),
          };
        },
        [name, credentials],
      );
      // What a page sees of a blind request is nothing, whatever was answered; or it is kept from it altogether.
      assert.deepEqual([outcome.socket, outcome.json, outcome.read], ['refused', 'refused', 'refused'], credentials);
      assert.match(outcome.simple, /^(refused|opaque 0 )$/);
      assert.match(outcome.blind, /^(refused|opaque 0 )$/);
    }
    assert.deepEqual(await sessions(), [], 'nothing was made');
    // Nor does it get our page into a frame of its own.
    const framed = await elsewhere.evaluate(
      (address) =>
        new Promise((resolve) => {
          const frame = document.createElement('iframe');
          frame.onload = () => {
            try {
              resolve(frame.contentDocument?.title ?? 'closed');
            } catch {
              resolve('closed');
            }
          };
          frame.src = address;
          document.body.append(frame);
        }),
      name,
    );
    assert.equal(framed, 'closed');
    assert.ok(!elsewhere.frames().some((frame) => frame.url().startsWith(name)), 'the frame stays empty');
    // Our own page goes on all the while.
    await deck.createSession({ Name: 'mine', Command: 'sleep 1000' });
    assert.equal((await sessions()).length, 1);
    await fetch(`${server.url}/api/sessions/mine`, { method: 'DELETE', ...asHolder() });
  });
});

test('where nobody is asked for a token, a page of another port is refused all the same', async () => {
  const open = await startQuarterdeck();
  const deck = await openBrowser(`http://127.0.0.1:${stranger.address().port}`);
  try {
    const socket = await deck.page.evaluate(
      (api) =>
        new Promise((resolve) => {
          const opened = new WebSocket(`${api.replace('http', 'ws')}/ws`);
          opened.onopen = () => resolve('open');
          opened.onerror = () => resolve('refused');
        }),
      open.url,
    );
    const made = await deck.page.evaluate(
      (api) => fetch(`${api}/api/sessions`, { method: 'POST', mode: 'no-cors', body: '' }).then((answer) => answer.type, () => 'refused'),
      open.url,
    );
    assert.equal(socket, 'refused');
    assert.match(made, /^(refused|opaque)$/);
    assert.deepEqual((await open.get('/api/sessions')).sessions, []);
  } finally {
    await deck.close();
    await open.stop();
  }
});

test('who may only look gets the page, and is told what can not be done', async () => {
  const command = ['token', 'new', '--read-only', '--socket', path.join(server.directory, 'api.sock')];
  const token = (await promisify(execFile)(server.binary, command)).stdout.trim();
  const made = await fetch(`${server.url}/api/sessions`, {
    method: 'POST',
    headers: { ...asHolder().headers, 'Content-Type': 'application/json' },
    // It asks the terminal what it is, as a program may at any time.
    body: JSON.stringify({ name: 'shown', command: ['/bin/sh', '-c', 'echo something to see; read go; printf "\\033[c"; echo asked; exec cat'] }),
  });
  const { id } = (await made.json()).session;
  await withBrowser(`${server.url}/#token=${token}`, async (deck) => {
    await deck.connected();
    await deck.textAppears(id, 'something to see');
    await deck.page.getByText('Read only').waitFor();
    assert.equal(await deck.page.getByRole('button', { name: /New session|Destroy/ }).count(), 0, 'nothing is offered that is refused');
    await deck.tab('shown').click();
    await deck.page.locator('.xterm-helper-textarea').first().focus();
    await fetch(`${server.url}/api/sessions/shown/input`, { method: 'POST', body: '\n', ...asHolder() });
    await deck.textAppears(id, 'asked');
    assert.equal(await deck.page.getByText('This login may only look').count(), 0, 'nobody has typed yet');
    await deck.page.getByText('80×24').waitFor();
    await deck.page.getByText('sized by another browser').waitFor();
    await deck.page.keyboard.type('typed by a reader');
    await deck.page.getByText('This login may only look').waitFor();
    const output = await (await fetch(`${server.url}/api/sessions/shown/output`, asHolder())).text();
    assert.ok(!output.includes('reader'), output);
    await assertAccessible(deck.page, 'read only');
    await deck.screenshot('read-only');
  });
  await fetch(`${server.url}/api/sessions/shown`, { method: 'DELETE', ...asHolder() });
});

// From here on another token is the right one.
test('a new token leads everybody to the form, and from there back to where they were', () =>
  withBrowser(`${server.url}/#token=${TOKEN}`, async (deck) => {
    await deck.connected();
    const id = await deck.createSession({ Name: 'kept', Command: "/bin/sh -c 'echo before; exec cat'" });
    await deck.lineAppears(id, 'before');
    await writeFile(`${file}.new`, NEXT, { mode: 0o600 });
    await rename(`${file}.new`, file);
    server.signal('SIGHUP');
    const alert = deck.page.getByRole('alert').filter({ hasText: 'You were logged out: the token was changed' });
    await alert.waitFor();
    assert.ok(!(await deck.page.locator('body').innerText()).includes('before'), 'what was on the terminal is not shown any more');
    await deck.screenshot('logged-out');
    await form(deck).fill(NEXT);
    await deck.page.getByRole('button', { name: 'Log in' }).click();
    await deck.connected();
    await deck.tab('kept').waitFor();
    await until('the session to go on', async () => (await sessions(NEXT))[0]?.status === 'active');
    await deck.lineAppears(id, 'before');
  }));

test('a page at an address that the server does not know says so instead of trying for ever', async () => {
  const open = await startQuarterdeck();
  const wire = await startWire(open.url, await freePort());
  const deck = await openBrowser(wire.url);
  try {
    await deck.page.getByText(`--allow-origin ${wire.url}`).waitFor();
  } finally {
    await deck.close();
    wire.stop();
    await open.stop();
  }
});
