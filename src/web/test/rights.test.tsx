// @vitest-environment happy-dom
import { act } from 'react';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { EmptyState } from '../src/components/EmptyState';
import { SessionTabs } from '../src/components/SessionTabs';
import { Terminal } from '../src/components/Terminal';
import { Gate } from '../src/net/gate';
import type { Session } from '../src/protocol/messages';
import type { LoginState } from '../src/state/login';
import { openPage, sessionNamed } from './support/page';
import { cleanUp, find, render } from './support/render';

afterEach(() => {
  cleanUp();
  vi.unstubAllGlobals();
});

const destroyed = vi.fn();
beforeEach(() => void vi.clearAllMocks());

const ended = sessionNamed('a', { status: 'stopped', exitCode: 0 }) as Session;
const reader = { readOnly: true };
const guest = { oneSession: true };

/** All that offers to do something with sessions, as seen with this login. */
function offers(login: Partial<LoginState>): string[] {
  const panel = { active: true, searching: false, onSearch: () => {}, onSearchClose: () => {}, onDestroy: destroyed };
  const page = render(
    <>
      <SessionTabs listOpen onToggleList={() => {}} onCreate={() => {}} onDestroy={destroyed} onEnter={() => {}} />
      <EmptyState listed onCreate={() => {}} />
      <Terminal session={ended} {...panel} />
    </>,
  );
  act(() => page.store.update((state) => ({ ...state, foreignSizes: ['a'], login: { ...state.login, phase: 'in', ...login } })));
  page.list(ended);
  const names = [...document.querySelectorAll('button')].map((button) => button.getAttribute('aria-label') ?? (button.textContent?.trim() || button.title));
  return names.filter((name) => /new session|destroy|resume|take over/i.test(name));
}

test('a login that may do everything is offered everything', () => {
  const all = ['Destroy a', 'New session', 'New session', 'Take over size', 'Destroy session a', 'Resume'];
  expect(offers({}).toSorted()).toEqual(all.toSorted());
  expect(document.body.textContent).toContain('A session is a terminal in the container');
});

test('who may only look is offered nothing that would be refused', () => {
  expect(offers(reader)).toEqual([]);
  expect(document.body.textContent).toContain('sessions that others make');
});

test('who has one session may use it, and neither make nor destroy any', () => {
  expect(offers(guest).toSorted()).toEqual(['Resume', 'Take over size']);
});

test.each([
  [{}, 1],
  [reader, 0],
  [guest, 0],
])('with %o the Delete key on a tab asks to destroy %i times', (login, times) => {
  offers(login);
  act(() => void find('[role=tab]').dispatchEvent(new KeyboardEvent('keydown', { key: 'Delete', bubbles: true, cancelable: true })));
  expect(destroyed).toHaveBeenCalledTimes(times);
});

test.each([
  [{ loginRequired: true, loggedIn: true, readOnly: false }, { readOnly: false, oneSession: false }],
  [{ loginRequired: true, loggedIn: true, readOnly: true }, { readOnly: true, oneSession: false }],
  [{ loginRequired: true, loggedIn: true, readOnly: false, sessionId: 'a' }, { readOnly: false, oneSession: true }],
])('what the server says of a login is what the page goes by: %o', async (answer, known) => {
  vi.stubGlobal('fetch', () => Promise.resolve(new Response(JSON.stringify(answer))));
  const states: LoginState[] = [];
  await new Gate({ changed: (state) => void states.push(state), opened: () => {}, closed: () => {}, misplaced: () => {} }).start(null);
  expect(states.at(-1)).toMatchObject(known);
});

test('the terminal of who may only look answers no program and sets no size', () => {
  const page = openPage();
  page.connect(sessionNamed('a'));
  page.attached('a', 1, 0, 0);
  const { hooks } = page.screen('a');
  expect([hooks.mute(), hooks.mayResize()]).toEqual([false, true]);
  page.store.update((state) => ({ ...state, login: { ...state.login, ...reader } }));
  expect([hooks.mute(), hooks.mayResize()]).toEqual([true, false]);
});
