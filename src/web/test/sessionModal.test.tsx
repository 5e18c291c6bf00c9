// @vitest-environment happy-dom
import { act } from 'react';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { SessionModal } from '../src/components/SessionModal';
import { CRITICAL_TOOLTIP } from '../src/state/admission';
import { nameProblem, suggestedName } from '../src/state/sessionName';
import { cleanUp, find, render, textOf, type } from './support/render';
import { sessionNamed } from './support/page';

afterEach(cleanUp);
afterEach(() => vi.unstubAllGlobals());

const asked: object[] = [];
beforeEach(() => void asked.splice(0));

/** The server's answer to every request to create a session. */
function answerWith(status: number, body: object) {
  vi.stubGlobal('fetch', async (_path: string, { body: sent }: { body: string }) => {
    asked.push(JSON.parse(sent));
    return { ok: status < 300, status, json: async () => body };
  });
}

const refusal = (status: number, error: object) => answerWith(status, { error });
const state = (memoryLevel: string) => ({ type: 'resource.state', memoryLevel, memoryUsagePercent: 95, maxSessions: 4, isAcceptingNewSessions: true });
const fields = () => [...document.querySelectorAll<HTMLInputElement>('input[type=text]')];
const existing = () => document.querySelector<HTMLInputElement>('input[type=checkbox]');
const create = () => find('button[type=submit]') as HTMLButtonElement;
const submit = () => act(async () => find('form').dispatchEvent(new Event('submit', { bubbles: true, cancelable: true })));
const note = (index: number) => textOf(`[id="${fields()[index]?.getAttribute('aria-describedby')}"]`);

function open(...sessions: object[]) {
  let closed: boolean | null = null;
  const page = render(<SessionModal onClose={(done) => (closed = done)} />);
  page.list(...sessions);
  page.receive(state('normal'));
  return { ...page, closed: () => closed };
}

test.each([
  [[], 'session-1'],
  [['session-1', 'session-3', 'other'], 'session-2'],
])('with %j the suggestion is %s', (taken, name) => {
  expect(suggestedName(taken)).toBe(name);
});

test.each([
  ['', null],
  ['a-Z9', null],
  ['x'.repeat(50), null],
  ['x'.repeat(51), 'at most 50 characters; this one has 51'],
  ['a b', 'a space is none of them'],
  ['ä', '“ä” is none of them'],
  ['taken', 'There is a session named taken already.'],
])('the name %j is judged as the server would', (name, words) => {
  const problem = nameProblem(name, ['taken']);
  if (words === null) expect(problem).toBeNull();
  else expect(problem).toContain(words);
});

test('a name is checked as it is typed, and a bad one is not sent', async () => {
  answerWith(201, {});
  open();
  const name = fields()[0]!;
  expect(name.value).toBe('session-1');
  type(name, 'no/slashes');
  expect(name.getAttribute('aria-invalid')).toBe('true');
  expect(note(0)).toContain('“/” is none of them');
  await submit();
  expect(asked).toEqual([]);
  type(name, 'no-slashes');
  expect(name.getAttribute('aria-invalid')).toBe('false');
});

test('the suggestion is left to the server, the rest is sent as arguments', async () => {
  answerWith(201, { session: sessionNamed('x') });
  const dialog = open();
  type(fields()[1]!, `sh -c 'a b'`);
  type(fields()[2]!, ' src ');
  await submit();
  expect(asked).toEqual([{ command: ['sh', '-c', 'a b'], cwd: 'src' }]);
  expect(dialog.closed()).toBe(true);
});

test.each([
  [400, { code: 'INVALID_NAME', message: 'Bad name' }, 0],
  [409, { code: 'NAME_TAKEN', message: 'Taken' }, 0],
  [422, { code: 'SPAWN_FAILED', message: 'No such program', details: { stage: 'exec', errno: 2 } }, 1],
  [422, { code: 'SPAWN_FAILED', message: 'No such place', details: { stage: 'chdir', errno: 2 } }, 2],
  [400, { code: 'INVALID_REQUEST', message: 'The directory "/etc" is not inside the session\'s worktree' }, 2],
  [400, { code: 'INVALID_REQUEST', message: '"a..b" can\'t be the name of a branch: it has two dots' }, 3],
  [409, { code: 'NOT_A_REPOSITORY', message: 'The workspace /w is not in a git repository' }, 3],
  [409, { code: 'BRANCH_CHECKED_OUT', message: 'The branch x is checked out at /y already' }, 3],
  [409, { code: 'WORKTREE_PATH_TAKEN', message: 'Something is in the way at /w/.worktrees/x' }, 0],
])('%s %j is told under its field', async (status, error, index) => {
  refusal(status, error);
  open();
  await submit();
  expect(note(index)).toContain(error.message);
  expect(fields().map((field) => field.getAttribute('aria-invalid') === 'true')).toEqual([0, 1, 2, 3].map((i) => i === index));
  expect(document.activeElement).toBe(fields()[index]);
  expect(create().disabled).toBe(false);
});

test('a branch is sent as a new one, or as one that exists', async () => {
  answerWith(201, { session: sessionNamed('x') });
  const send = async (branch: string, exists: boolean) => {
    cleanUp();
    open();
    expect(existing()).toBeNull();
    type(fields()[3]!, branch);
    if (exists) act(() => existing()!.click());
    await submit();
  };
  await send(' fix/parser ', false);
  await send('fix/parser', true);
  await send(' ', false);
  expect(asked).toEqual([{ branch: 'fix/parser' }, { branch: 'fix/parser', existingBranch: true }, {}]);
});

test('a branch that is there already can be used with the box below it', async () => {
  refusal(409, { code: 'BRANCH_EXISTS', message: 'A branch named x exists already', details: { branch: 'x', worktreePath: null }, suggestion: 'Set existingBranch.' });
  open();
  type(fields()[3]!, 'x');
  await submit();
  expect(note(3)).toBe('A branch named x exists already. Choose another name, or say below that the branch exists already.');
  act(() => existing()!.click());
  expect(fields()[3]!.getAttribute('aria-invalid')).toBe('false');
});

test('what the whole container lacks is told below the form, with all its words', async () => {
  refusal(503, {
    code: 'RESOURCE_EXHAUSTED',
    message: 'Maximum resource capacity reached',
    details: 'Memory usage is at 93%. Cannot create new sessions.',
    suggestion: 'Close idle sessions before creating new ones.',
  });
  open();
  await submit();
  expect(textOf('[role=alert]')).toBe(
    'Maximum resource capacity reached. Memory usage is at 93%. Cannot create new sessions. Close idle sessions before creating new ones.',
  );
});

test('at the limit the dialog says so before anything is sent', () => {
  open(...['a', 'bb', 'ccc', 'dddd'].map((id) => sessionNamed(id)));
  expect(textOf('[role=alert]')).toBe('Maximum 4 sessions supported. Destroy a session to create a new one.');
});

test('while memory is critical nothing can be created, and the button says why', async () => {
  answerWith(201, {});
  const dialog = open();
  dialog.receive(state('critical'));
  expect(create().disabled).toBe(true);
  expect(create().title).toBe(CRITICAL_TOOLTIP);
  expect(CRITICAL_TOOLTIP).toBe('Memory critical - cannot create new sessions');
  await submit();
  expect(asked).toEqual([]);
  dialog.receive(state('normal'));
  expect(create().disabled).toBe(false);
  expect(create().title).toBe('');
});
