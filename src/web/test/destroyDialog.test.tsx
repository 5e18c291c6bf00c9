// @vitest-environment happy-dom
import { act } from 'react';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { DestroyDialog } from '../src/components/DestroyDialog';
import type { Session } from '../src/protocol/messages';
import { cleanUp, click, render, textOf } from './support/render';
import { sessionNamed } from './support/page';

afterEach(cleanUp);
afterEach(() => vi.unstubAllGlobals());

const asked: string[] = [];
let closed: boolean | null;
beforeEach(() => {
  asked.length = 0;
  closed = null;
});

/** The answers to one request after the other: an error, or null for a success. */
function answerWith(...errors: (object | null)[]) {
  vi.stubGlobal('fetch', async (path: string, { method }: { method: string }) => {
    asked.push(`${method} ${path}`);
    const error = errors.shift() ?? null;
    return { ok: error === null, status: error === null ? 200 : 409, json: async () => (error === null ? { success: true } : { error }) };
  });
}

function open(change: object) {
  const session = sessionNamed('a', change);
  const page = render(<DestroyDialog session={session as Session} onClose={(done) => (closed = done)} />);
  page.list(session);
  return page;
}

const buttons = () => [...document.querySelectorAll('button')].map((button) => button.textContent);
const press = async (name: string) => {
  const button = [...document.querySelectorAll('button')].find((each) => each.textContent === name);
  if (!button) throw new Error(`no button ${name} among ${buttons()}`);
  await act(async () => button.click());
};
const dirty = (change: object = {}) => ({
  code: 'WORKTREE_DIRTY',
  message: 'The worktree /w/.worktrees/a holds work that would be lost: 23 changed or untracked files and 1 commit on no branch',
  details: {
    worktreePath: '/w/.worktrees/a',
    changes: [
      { status: '??', path: 'new.txt' },
      { status: ' M', path: 'src/main.rs' },
    ],
    changeCount: 23,
    commits: ['1234567 try'],
    commitCount: 1,
    sessionRemoved: false,
    ...change,
  },
  suggestion: 'Commit it, leave deleteWorktree out to keep the worktree, or set force=true to lose it.',
});
const WORKTREE = { worktreePath: '/w/.worktrees/a', branch: 'fix' };

test('without a worktree there is nothing to choose', async () => {
  answerWith();
  open({});
  expect(document.body.textContent).toContain('Its program is still running.');
  expect(document.querySelector('input')).toBeNull();
  await press('Destroy');
  expect([asked, closed]).toEqual([['DELETE /api/sessions/a'], true]);
});

test('what could be resumed is named', () => {
  open({ status: 'idle' });
  expect(document.body.textContent).toContain('It waits to be resumed');
});

test('a worktree stays unless it is asked for', async () => {
  answerWith();
  open({ ...WORKTREE, status: 'stopped' });
  expect(document.body.textContent).not.toContain('still running');
  expect(document.body.textContent).toContain('The branch fix stays');
  await press('Destroy');
  expect(asked).toEqual(['DELETE /api/sessions/a']);
});

test('work that would be lost is told, and lost only after a second word', async () => {
  answerWith(dirty(), null);
  open(WORKTREE);
  click('input[type=checkbox]');
  await press('Destroy');
  expect(asked).toEqual(['DELETE /api/sessions/a?deleteWorktree=true']);
  expect(textOf('[role=alert] p')).toBe(`${dirty().message}.`);
  expect([...document.querySelectorAll('[role=alert] li')].map((item) => item.textContent)).toEqual([
    'new: new.txt',
    'changed: src/main.rs',
    'commit: 1234567 try',
    'and 21 more',
  ]);
  expect([closed, buttons()]).toEqual([null, ['Destroy it all the same', 'Keep it']]);
  await press('Destroy it all the same');
  expect(asked[1]).toBe('DELETE /api/sessions/a?deleteWorktree=true&force=true');
  expect(closed).toBe(true);
});

test('the worktree can be spared after all', async () => {
  answerWith(dirty(), null);
  open(WORKTREE);
  click('input[type=checkbox]');
  await press('Destroy');
  click('input[type=checkbox]');
  expect([document.querySelector('[role=alert]'), buttons()]).toEqual([null, ['Keep it', 'Destroy']]);
  await press('Destroy');
  expect(asked[1]).toBe('DELETE /api/sessions/a');
});

test('what no insisting helps against is told with what to do', async () => {
  answerWith({ code: 'WORKTREE_LOCKED', message: 'The worktree is locked', details: { reason: '' }, suggestion: 'Run `git worktree unlock` first.' });
  open(WORKTREE);
  click('input[type=checkbox]');
  await press('Destroy');
  expect(textOf('[role=alert]')).toBe('The worktree is locked. Run `git worktree unlock` first.');
  expect(buttons()).toEqual(['Keep it', 'Destroy']);
});

test('a session that ended before its worktree was refused is not offered again', async () => {
  answerWith(dirty({ sessionRemoved: true }));
  const page = open(WORKTREE);
  click('input[type=checkbox]');
  await press('Destroy');
  page.receive({ type: 'session.destroyed', sessionId: 'a' });
  expect(buttons()).toEqual(['Close']);
});
