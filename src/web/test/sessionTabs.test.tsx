// @vitest-environment happy-dom
import { act } from 'react';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { SessionList } from '../src/components/SessionList';
import { SessionTabs } from '../src/components/SessionTabs';
import { shortcutFor } from '../src/hooks/useShortcuts';
import { byNeed, quietFor } from '../src/state/attention';
import { rememberedOrder } from '../src/state/tabOrder';
import { cleanUp, find, render, textOf } from './support/render';
import { sessionNamed } from './support/page';

afterEach(cleanUp);

const destroyed = vi.fn();
const entered = vi.fn();
beforeEach(() => void vi.clearAllMocks());

const three = ['a', 'bb', 'ccc'].map((id) => sessionNamed(id));
const names = () => [...document.querySelectorAll('[role=tab] .font-medium')].map((element) => element.textContent);
const selected = () => textOf('[role=tab][aria-selected=true] .font-medium');

function tabs(...sessions: object[]) {
  const page = render(<SessionTabs listOpen onToggleList={() => {}} onCreate={() => {}} onDestroy={destroyed} onEnter={entered} />);
  page.list(...sessions);
  return page;
}

function press(key: string, modifiers: object = {}) {
  act(() => void find('[role=tab][aria-selected=true]').dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...modifiers })));
}

test('arrows, Home and End select, Delete asks to destroy', () => {
  tabs(...three);
  press('ArrowLeft');
  expect(selected()).toBe('ccc');
  expect(document.activeElement?.id).toBe('tab-ccc');
  press('ArrowRight');
  expect(selected()).toBe('a');
  press('End');
  expect(selected()).toBe('ccc');
  press('Delete');
  expect(destroyed).toHaveBeenCalledWith(expect.objectContaining({ id: 'ccc' }));
});

test('with Ctrl and Shift the arrows move the tab, up to the ends, and it is said', () => {
  tabs(...three);
  const keys = { ctrlKey: true, shiftKey: true };
  press('ArrowLeft', keys);
  expect(names()).toEqual(['a', 'bb', 'ccc']);
  press('ArrowRight', keys);
  expect(names()).toEqual(['bb', 'a', 'ccc']);
  expect(textOf('nav > [role=status]')).toBe('a is now tab 2 of 3.');
  press('ArrowRight', keys);
  press('ArrowRight', keys);
  expect(names()).toEqual(['bb', 'ccc', 'a']);
  expect(selected()).toBe('a');
});

test('the order is kept, and a new session comes last', () => {
  const page = tabs(...three);
  act(() => page.actions.move('ccc', 0));
  expect(rememberedOrder()).toEqual(['ccc', 'a', 'bb']);
  page.receive({ type: 'session.created', session: sessionNamed('dddd') });
  expect(names()).toEqual(['ccc', 'a', 'bb', 'dddd']);
  page.receive({ type: 'session.list', sessions: three, generation: 2 });
  expect(names()).toEqual(['ccc', 'a', 'bb']);
});

test('an order that somebody damaged is no order', () => {
  localStorage.setItem('quarterdeck.tabOrder', '{"a":1');
  expect(rememberedOrder()).toEqual([]);
  localStorage.setItem('quarterdeck.tabOrder', '["a",7]');
  expect(rememberedOrder()).toEqual(['a']);
});

test('a tab is dragged to where it is dropped', () => {
  tabs(...three);
  const drag = (type: string, id: string) => {
    const event = new Event(type, { bubbles: true, cancelable: true });
    Object.assign(event, { dataTransfer: { setData: () => {} } });
    act(() => void find(`#tab-${id}`).dispatchEvent(event));
  };
  drag('drop', 'a');
  expect(names()).toEqual(['a', 'bb', 'ccc']);
  drag('dragstart', 'ccc');
  drag('dragover', 'a');
  drag('drop', 'a');
  expect(names()).toEqual(['ccc', 'a', 'bb']);
});

test('a tab shows status and age in words, and who needs a person', () => {
  const page = tabs(sessionNamed('a', { lastActivity: '2026-01-01T00:00:00.000Z' }), sessionNamed('bb'));
  page.receive({ type: 'resource.state', sampledAt: '2026-01-01T00:02:10.000Z', memoryLevel: 'normal', maxSessions: 4 });
  expect(textOf('#tab-a')).toContain('running · last activity 2 min');
  expect(document.querySelector('[data-testid=attention]')).toBeNull();
  page.receive({ type: 'session.status', sessionId: 'bb', status: 'waiting', lastActivity: '2026-01-01T00:00:00.000Z', isStuck: false });
  expect(textOf('#tab-bb')).toContain('needs you');
  page.receive({ type: 'session.status', sessionId: 'a', status: 'active', lastActivity: '2026-01-01T00:00:00.000Z', isStuck: true });
  expect(textOf('#tab-a')).toContain('stuck');
});

test('who needs a person is first; among equals the order of the tabs stays', () => {
  const sessions = [
    sessionNamed('stopped', { status: 'stopped' }),
    sessionNamed('active'),
    sessionNamed('failed', { status: 'error' }),
    sessionNamed('stuck', { isStuck: true }),
    sessionNamed('active-too'),
    sessionNamed('asks', { needsInput: true }),
    sessionNamed('ended-asking', { status: 'stopped', needsInput: true }),
  ] as Parameters<typeof byNeed>[0];
  expect(byNeed(sessions).map(({ id }) => id)).toEqual(['asks', 'stuck', 'failed', 'active', 'active-too', 'stopped', 'ended-asking']);
});

test('ages are told by the server’s clock, and never are negative', () => {
  const session = sessionNamed('a', { lastActivity: '2026-01-01T00:00:10.000Z' }) as Parameters<typeof quietFor>[0];
  const at = (sampledAt: string) => ({ sampledAt }) as Parameters<typeof quietFor>[1];
  expect(quietFor(session, at('2026-01-01T00:00:12.500Z'))).toBe(2_500);
  expect(quietFor(session, at('2026-01-01T00:00:09.000Z'))).toBe(0);
  expect(quietFor(session, null)).toBeNull();
});

test('the list shows the figures there are, and a dash for those there are not', () => {
  const page = render(<SessionList onEnter={entered} />);
  page.list(sessionNamed('a', { command: ['sh', '-c', 'x y'], branch: 'fix/it', memoryBytes: 12 * 2 ** 20, cpuPercent: 3.4, processCount: 1, oomKills: 2 }), sessionNamed('bb'));
  const [first, second] = [...document.querySelectorAll('li')].map((row) => row.textContent);
  for (const part of ['fix/it', `sh -c 'x y'`, 'Memory 12 MiB', 'CPU 3 %', 'Processes 1', '2 killed by the kernel for memory']) expect(first).toContain(part);
  for (const part of ['Memory –', 'CPU –', 'Processes –']) expect(second).toContain(part);
  expect(second).not.toContain('killed');
  act(() => document.querySelectorAll('li button')[1]?.dispatchEvent(new MouseEvent('click', { bubbles: true })));
  expect(entered).toHaveBeenCalledWith(expect.objectContaining({ id: 'bb' }));
});

test('Ctrl or Cmd with a digit selects a tab, whatever the layout; both together or with more do not', () => {
  const tabAt = vi.fn();
  const run = (code: string, modifiers: object) => shortcutFor({ code, ctrlKey: false, metaKey: false, shiftKey: false, altKey: false, ...modifiers } as KeyboardEvent)?.({ tabAt } as never);
  run('Digit1', { ctrlKey: true });
  run('Digit9', { metaKey: true });
  run('Numpad3', { ctrlKey: true });
  run('Digit2', {});
  run('Digit2', { ctrlKey: true, metaKey: true });
  run('Digit2', { ctrlKey: true, shiftKey: true });
  run('Digit0', { ctrlKey: true });
  expect(tabAt.mock.calls).toEqual([[0], [8], [2]]);
});
