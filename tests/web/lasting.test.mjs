// Sessions that last: branches with worktrees of their own, a container that is started again, and who needs a person.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { assertAccessible } from './support/axe.mjs';
import { openBrowser } from './support/browser.mjs';
import { startQuarterdeck } from './support/quarterdeck.mjs';
import { until } from './support/until.mjs';

let server;
let deck;

before(async () => {
  server = await startQuarterdeck();
  deck = await openBrowser(server.url, { reducedMotion: 'reduce' });
  await deck.connected();
});
after(async () => {
  await deck?.close();
  await server?.stop();
});

const dialog = () => deck.page.getByRole('dialog');
const closed = () => dialog().waitFor({ state: 'detached' });
const row = (name) => deck.page.getByRole('complementary').getByRole('button', { name: new RegExp(`^${name} `) });
const worktree = (name) => path.join(server.directory, '.worktrees', name);
const git = async (...words) => {
  const identity = ['-c', 'user.name=Test', '-c', 'user.email=test@example.org'];
  return (await promisify(execFile)('git', ['-C', server.directory, ...identity, ...words])).stdout.trim();
};

/** Waits for what is said under the field, which has the focus then. */
async function refused(label, words) {
  const field = dialog().getByLabel(label, { exact: true }).and(deck.page.locator('[aria-invalid=true]:focus'));
  await field.waitFor();
  assert.match(await deck.page.locator(`[id="${await field.getAttribute('aria-describedby')}"]`).textContent(), words);
}
const destroy = async (name) => {
  await deck.tab(name).click();
  await deck.page.getByRole('button', { name: `Destroy session ${name}` }).click();
  await dialog().waitFor();
};

test('a branch without a repository is refused in words under its field', async () => {
  await deck.submitNewSession({ Branch: 'fix' });
  await refused('Branch', /is not in a git repository\. Run `git init`/);
  await assertAccessible(deck.page, 'no repository');
  await deck.page.keyboard.press('Escape');
  await closed();
});

test('a session with a branch works in a worktree of its own, and both are told', async () => {
  await git('init', '--quiet', '--initial-branch', 'main');
  await writeFile(path.join(server.directory, 'tracked.txt'), 'one\n');
  await git('add', 'tracked.txt');
  await git('commit', '--quiet', '--message', 'First');
  const id = await deck.createSession({ Name: 'fixer', Command: 'bash --norc', Branch: 'fix/parser' });
  await deck.page.keyboard.type('git branch --show-current; pwd\n');
  await deck.lineAppears(id, 'fix/parser');
  await deck.lineAppears(id, worktree('fixer'));
  await row('fixer').getByTitle('Branch fix/parser').waitFor();
  await deck.page.getByRole('tabpanel').getByTitle('Branch', { exact: true }).getByText('fix/parser').waitFor();
  await deck.screenshot('branch');
});

test('a branch that exists is refused, and used once it is said to exist', async () => {
  await git('branch', 'there');
  await deck.submitNewSession({ Name: 'second', Branch: 'there' });
  await refused('Branch', /A branch named there exists already\. Choose another name, or say below that the branch exists already\./);
  await dialog().getByLabel('The branch exists already').check();
  await deck.screenshot('branch-exists');
  await deck.page.getByRole('button', { name: 'Create' }).click();
  await closed();
  await row('second').getByTitle('Branch there').waitFor();
});

test('a branch that is checked out elsewhere, and one that is none, are refused', async () => {
  await deck.submitNewSession({ Branch: 'a..b' });
  await refused('Branch', /can't be the name of a branch/);
  await dialog().getByLabel('Branch', { exact: true }).fill('main');
  await dialog().getByLabel('The branch exists already').check();
  await deck.page.getByRole('button', { name: 'Create' }).click();
  await refused('Branch', /The branch main is checked out at .* already/);
  await dialog().getByLabel('Branch', { exact: true }).fill('nowhere');
  await deck.page.getByRole('button', { name: 'Create' }).click();
  await refused('Branch', /There is no branch named nowhere.*For a new branch, take back that it exists already/);
  await deck.page.keyboard.press('Escape');
  await closed();
});

test('a session is destroyed and its worktree stays unless it is asked for', async () => {
  await destroy('second');
  await dialog().getByRole('button', { name: 'Destroy' }).click();
  await deck.tab('second').waitFor({ state: 'detached' });
  assert.ok(existsSync(worktree('second')));
});

test('work that would be lost is told, spared, and lost only after a second word', async () => {
  await writeFile(path.join(worktree('fixer'), 'unsaved.txt'), 'work\n');
  await destroy('fixer');
  await dialog().getByLabel(/^Delete its worktree, too/).check();
  await dialog().getByRole('button', { name: 'Destroy' }).click();
  await dialog().getByRole('alert').getByText(/holds work that would be lost: 1 changed or untracked file\.$/).waitFor();
  await dialog().getByText('new: unsaved.txt').waitFor();
  await assertAccessible(deck.page, 'work would be lost');
  await deck.screenshot('worktree-dirty');
  await dialog().getByRole('button', { name: 'Keep it' }).click();
  await closed();
  assert.equal((await server.get('/api/sessions/fixer')).session.status, 'active');
  await destroy('fixer');
  await dialog().getByLabel(/^Delete its worktree, too/).check();
  await dialog().getByRole('button', { name: 'Destroy' }).click();
  await dialog().getByRole('button', { name: 'Destroy it all the same' }).click();
  await deck.tab('fixer').waitFor({ state: 'detached' });
  // The session goes first.
  await until('the worktree is gone', () => !existsSync(worktree('fixer')));
  assert.match(await git('branch', '--list', 'fix/parser'), /fix\/parser/);
});

test('who needs a person says so by itself: in the tab, in the list, and to who looks elsewhere', async () => {
  const asks = await deck.createSession({ Name: 'asks', Command: 'bash --norc' });
  await deck.createSession({ Name: 'other', Command: 'bash --norc' });
  await server.type(asks, `${server.binary} notify --needs-input 'Allow rm -rf build?'\n`);
  await deck.tab('asks').getByText('needs you').waitFor();
  await deck.tab('asks').getByText('waiting for you').waitFor();
  await row('asks').getByText('Allow rm -rf build?').waitFor();
  await deck.page.getByText('asks needs you: Allow rm -rf build?').waitFor();
  // First in the list, whatever the order of the tabs.
  assert.match(await deck.page.getByRole('complementary').getByRole('listitem').first().textContent(), /^asks/);
  await assertAccessible(deck.page, 'waiting');
  await deck.screenshot('waiting');
  await deck.tab('asks').click();
  await deck.page.keyboard.type('\n');
  await deck.tab('asks').getByText('needs you').waitFor({ state: 'detached' });
  await server.destroy('other');
});

test('after a restart of the container the sessions are idle with all they wrote, and are resumed', async () => {
  const id = await deck.createSession({ Name: 'lasting', Command: "bash --norc -c 'echo life-$((1 + 1)); read -r x'" });
  await deck.lineAppears(id, 'life-2');
  await server.restart();
  await deck.page.getByRole('tabpanel').getByText(/^The container was started again; the program was stopped with the container .*Resume starts it again in the same place\.$/).waitFor();
  await deck.tab('lasting').getByText(/^idle/).waitFor();
  await row('asks').getByText('idle').waitFor();
  const lives = async () => (await deck.text(id)).split('\n').filter((line) => line === 'life-2').length;
  assert.equal(await lives(), 1);
  await assertAccessible(deck.page, 'idle');
  await deck.screenshot('idle');
  await deck.page.reload();
  await deck.lineAppears(id, 'life-2');
  await deck.page.getByRole('button', { name: 'Resume' }).click();
  await until('a second life behind the first one', async () => (await lives()) === 2);
  await deck.tab('lasting').getByText(/^running/).waitFor();
  // It reads what is typed.
  await deck.page.keyboard.press('Enter');
  await deck.page.getByText('The program ended with exit code 0.').waitFor();
});

test('an idle session is not thrown away without a question', async () => {
  await deck.tab('asks').click();
  await deck.page.keyboard.press('Control+Shift+ArrowUp');
  await deck.page.keyboard.press('Delete');
  await dialog().getByText(/^It waits to be resumed/).waitFor();
  await deck.page.keyboard.press('Escape');
  await closed();
  assert.equal((await server.get('/api/sessions/asks')).session.status, 'idle');
});

test('through all of it: no error in the console but refusals and the lost connection', () => {
  const unexpected = deck.complaints.filter((text) => !/status of 4(00|09)|WebSocket|ERR_CONNECTION|Failed to load resource/.test(text));
  assert.deepEqual(unexpected, []);
});
