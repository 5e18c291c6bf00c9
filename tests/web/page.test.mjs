// The page in daily use: load, create, type, switch, end, destroy.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openBrowser } from './support/browser.mjs';
import { startQuarterdeck } from './support/quarterdeck.mjs';

let server;
let deck;

before(async () => {
  server = await startQuarterdeck();
  deck = await openBrowser(server.url);
});
after(async () => {
  await deck?.close();
  await server?.stop();
});

test('the page loads under its content security policy and explains itself when empty', async () => {
  await deck.page.getByRole('heading', { name: 'No sessions yet' }).waitFor();
  await deck.connected();
  await deck.page.getByTestId('session-count').getByText('0/4').waitFor();
  const policy = (await deck.page.request.get(server.url)).headers()['content-security-policy'];
  assert.match(policy, /default-src 'none'/);
  await deck.screenshot('empty');
});

test('a session made in the dialog takes the keyboard and shows what a command prints', async () => {
  const id = await deck.createSession({ Name: 'first', Command: 'bash --norc' });
  await deck.page.keyboard.type('echo $((6 * 7))-seen; pwd\n');
  await deck.lineAppears(id, '42-seen');
  await deck.lineAppears(id, server.directory);
  await deck.screenshot('first-session');
});

test('the program sees the size of the terminal on show, also after a change', async () => {
  const id = await deck.activeId();
  const shown = () => deck.page.evaluate((session) => window.__quarterdeck.size(session), id);
  const wide = await shown();
  await deck.page.setViewportSize({ width: 1000, height: 600 });
  await deck.page.waitForFunction(([session, cols]) => window.__quarterdeck.size(session).cols < cols, [id, wide.cols]);
  const { cols, rows } = await shown();
  // What the server knows is what it has told the program.
  await deck.page.getByText(`${cols}×${rows}`).first().waitFor();
  await deck.page.keyboard.type('echo size=$(stty size | tr " " x)\n');
  await deck.lineAppears(id, `size=${rows}x${cols}`);
  await deck.page.setViewportSize({ width: 1280, height: 800 });
});

test('a second tab has its own terminal, and the keyboard switches between them', async () => {
  const first = await deck.activeId();
  const second = await deck.createSession({ Name: 'second' });
  await deck.tab('second').and(deck.page.locator('[aria-selected=true]')).waitFor();
  assert.notEqual(second, first);
  await deck.page.keyboard.type('echo only-$((1 + 1))nd\n');
  await deck.lineAppears(second, 'only-2nd');
  assert.ok(!(await deck.text(first)).includes('only-2nd'));

  await deck.page.keyboard.press('Alt+PageUp');
  await deck.tab('first').and(deck.page.locator('[aria-selected=true]')).waitFor();
  // The keyboard went along into the other terminal.
  await deck.page.keyboard.type('echo back-in-$((2 - 1))st\n');
  await deck.lineAppears(first, 'back-in-1st');
  await deck.screenshot('two-tabs');
});

test('the tab list is left and entered by keyboard and moves by arrows', async () => {
  await deck.page.keyboard.press('Control+Shift+ArrowUp');
  assert.equal(await deck.page.evaluate(() => document.activeElement.getAttribute('role')), 'tab');
  await deck.page.keyboard.press('ArrowRight');
  await deck.tab('second').and(deck.page.locator('[aria-selected=true]')).waitFor();
  await deck.page.keyboard.press('Home');
  await deck.tab('first').and(deck.page.locator('[aria-selected=true]')).waitFor();
  await deck.page.keyboard.press('Enter');
  await deck.page.keyboard.type('echo entered-$((3 * 3))\n');
  await deck.lineAppears(await deck.activeId(), 'entered-9');
});

test('search finds text in the scrollback', async () => {
  await deck.page.keyboard.press('Control+Shift+F');
  await deck.page.getByLabel('Search the terminal').fill('42-seen');
  await deck.page.getByTestId('search-result').getByText('1 of 1').waitFor();
  await deck.screenshot('search');
  await deck.page.keyboard.press('Escape');
  await deck.page.getByRole('search').waitFor({ state: 'detached' });
});

test('a selected word is copied', async () => {
  await deck.page.context().grantPermissions(['clipboard-read', 'clipboard-write'], { origin: server.url });
  await deck.page.keyboard.type('echo copy$((40 + 2))me\n');
  await deck.lineAppears(await deck.activeId(), 'copy42me');
  const word = deck.page.locator('[role=tabpanel]:not([hidden]) .xterm-rows').getByText('copy42me', { exact: true });
  // Forced: xterm takes the mouse with a layer over its rows.
  await word.dblclick({ force: true });
  await deck.page.keyboard.press('Control+Shift+C');
  await deck.page.waitForFunction(async () => (await navigator.clipboard.readText()) === 'copy42me');
});

test('an address in the output is opened in a window of its own that knows nothing of this one', async () => {
  await deck.page.keyboard.type(`clear; echo ${server.url}/health\n`);
  const address = deck.page.locator('[role=tabpanel]:not([hidden]) .xterm-rows').getByText(new RegExp(`^${server.url}/health *$`));
  const { x, y, height } = await address.boundingBox();
  const opened = deck.page.context().waitForEvent('page');
  // A link is one only once the mouse is over it.
  await deck.page.mouse.move(x + 20, y + height / 2);
  await deck.page.locator('.xterm-cursor-pointer').waitFor();
  await deck.page.mouse.click(x + 20, y + height / 2);
  const other = await opened;
  await other.waitForURL(`${server.url}/health`);
  assert.equal(await other.evaluate(() => window.opener), null);
  await other.close();
});

test('a link of a program is opened only if it is one of the web, and after a question that names it', async () => {
  const link = (url, text) => `printf '\\e]8;;${url}\\e\\\\${text}\\e]8;;\\e\\\\\\n'`;
  await deck.page.keyboard.type(`clear; ${link('javascript:alert(1)', 'harmless')}; ${link(`${server.url}/ready`, 'ready')}\n`);
  const rows = deck.page.locator('[role=tabpanel]:not([hidden]) .xterm-rows');
  const asked = [];
  deck.page.on('dialog', (dialog) => {
    asked.push(dialog.message());
    void dialog.accept();
  });
  const click = async (text) => {
    const { x, y, width, height } = await rows.getByText(text, { exact: true }).boundingBox();
    await deck.page.mouse.move(x + width / 2, y + height / 2);
    await deck.page.mouse.click(x + width / 2, y + height / 2);
  };
  await click('harmless');
  const opened = deck.page.context().waitForEvent('page');
  await click('ready');
  const other = await opened;
  await other.waitForURL(`${server.url}/ready`);
  assert.equal(await other.evaluate(() => window.opener), null);
  await other.close();
  assert.equal(asked.length, 1, asked.join());
  assert.ok(asked[0].includes(`${server.url}/ready`), asked[0]);
});

const refusals = [
  { label: 'Name', value: 'no/slashes', words: /name/i },
  { label: 'Command', value: '/no/such/program', words: /executing the program.*No such file/ },
  { label: 'Command', value: "echo 'half", words: /' without its partner/ },
  { label: 'Directory', value: '/no/such/place', words: /entering the directory.*No such file/ },
];
for (const { label, value, words } of refusals) {
  test(`${label} ${value} is refused in words under its field`, async () => {
    await deck.submitNewSession({ [label]: value });
    const field = deck.page.getByLabel(label, { exact: true }).and(deck.page.locator('[aria-invalid=true]'));
    await field.waitFor();
    const note = deck.page.locator(`[id="${await field.getAttribute('aria-describedby')}"]`);
    assert.match(await note.textContent(), words);
    assert.equal(await note.getAttribute('role'), 'alert');
    await deck.page.keyboard.press('Escape');
    await deck.page.getByRole('dialog').waitFor({ state: 'detached' });
  });
}

test('at the session limit the dialog shows what the server says', async () => {
  await server.post('/api/sessions', {});
  await server.post('/api/sessions', {});
  await deck.page.getByTestId('session-count').getByText('4/4').waitFor();
  await deck.submitNewSession();
  await deck.page.getByRole('alert').getByText('Maximum 4 sessions supported. Destroy a session to create a new one.').waitFor();
  await deck.screenshot('limit');
  await deck.page.getByRole('button', { name: 'Cancel' }).click();
});

test('a running session is destroyed only when asked twice', async () => {
  await deck.tab('second').click();
  await deck.page.getByRole('button', { name: 'Destroy session second' }).click();
  await deck.page.getByRole('button', { name: 'Keep it' }).click();
  assert.equal(await deck.tabs().count(), 4);
  await deck.page.getByRole('button', { name: 'Destroy session second' }).click();
  await deck.page.getByRole('dialog').getByRole('button', { name: 'Destroy' }).click();
  await deck.tab('second').waitFor({ state: 'detached' });
  const { sessions } = await server.get('/api/sessions');
  assert.ok(!sessions.some((session) => session.name === 'second'));
});

test('a program that ends says how, and Resume starts it again', async () => {
  const { session } = await server.post('/api/sessions', { name: 'ending', command: ['/bin/sh', '-c', 'echo life; exit 3'] });
  await deck.tab('ending').click();
  await deck.page.getByText('The program ended with exit code 3.').waitFor();
  await deck.screenshot('ended');
  await deck.page.getByRole('button', { name: 'Resume' }).click();
  await deck.page.waitForFunction((id) => window.__quarterdeck.text(id).split('life').length === 3, session.id);
  await deck.page.getByText('The program ended with exit code 3.').waitFor();
});

test('through all of it: no error in the console and no request to another host', () => {
  // A refused creation is an HTTP error, which browsers write to the console on their own.
  const unexpected = deck.complaints.filter((text) => !/status of 4(00|09|22)/.test(text));
  assert.deepEqual(unexpected, []);
  assert.deepEqual(deck.foreign, []);
});
