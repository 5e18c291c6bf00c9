// @vitest-environment happy-dom
import { act } from 'react';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ProcessTree } from '../src/components/ProcessTree';
import type { Session, SessionProcess } from '../src/protocol/messages';
import { rowsOf, stepFor } from '../src/state/processTree';
import { cleanUp, find, render } from './support/render';
import { sessionNamed } from './support/page';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  cleanUp();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function process(pid: number, parentPid: number, change: Partial<SessionProcess> = {}): SessionProcess {
  const startedAt = '2026-01-01T00:00:00.000Z';
  return { pid, parentPid, command: `program ${pid}`, state: 'sleeping', memoryBytes: 5 * 2 ** 20, startedAt, isForeground: false, ...change };
}

/** 10 has 11 (which has 12) and 13; 20 lost its parent. */
const FAMILY = [process(10, 1), process(11, 10), process(12, 11), process(13, 10), process(20, 1)];

const row = (pid: number) => find(`[data-pid="${pid}"]`);
const shown = () => [...document.querySelectorAll<HTMLElement>('[role=treeitem]')].map((item) => Number(item.dataset['pid']));
const press = (key: string) => act(() => void document.activeElement?.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true })));

/** The page with a tree, whose processes `now` tells. */
async function open(now: () => object) {
  const asked: string[] = [];
  vi.stubGlobal('fetch', async (path: string) => {
    asked.push(path);
    return { ok: true, status: 200, json: async () => now() };
  });
  const page = render(<ProcessTree session={sessionNamed('a') as Session} />);
  page.list(sessionNamed('a'));
  await act(async () => void (await vi.advanceTimersByTimeAsync(0)));
  return { ...page, asked };
}
const answer = (processes: SessionProcess[], count = processes.length) => ({ processes, count, truncated: count > processes.length });

test('levels and places are those of the family', () => {
  const rows = rowsOf(FAMILY, new Set());
  expect(rows.map(({ process: { pid }, level, place, siblings, open }) => [pid, level, place, siblings, open])).toEqual([
    [10, 1, 1, 2, true],
    [11, 2, 1, 2, true],
    [12, 3, 1, 1, undefined],
    [13, 2, 2, 2, undefined],
    [20, 1, 2, 2, undefined],
  ]);
  expect(rowsOf(FAMILY, new Set([10])).map(({ process: { pid }, open }) => [pid, open])).toEqual([[10, false], [20, undefined]]);
});

test.each([
  ['ArrowDown', 10, { go: 11 }],
  ['ArrowDown', 20, null],
  ['ArrowUp', 20, { go: 13 }],
  ['ArrowRight', 11, { go: 12 }],
  ['ArrowRight', 12, null],
  ['ArrowLeft', 11, { fold: 11 }],
  ['ArrowLeft', 13, { go: 10 }],
  ['ArrowLeft', 20, null],
  ['Home', 13, { go: 10 }],
  ['End', 10, { go: 20 }],
  ['x', 10, null],
])('%s at %d is %j', (key, pid, step) => expect(stepFor(key, rowsOf(FAMILY, new Set()), pid)).toEqual(step));

test('the keyboard walks, folds and unfolds; one row is in the tab order', async () => {
  await open(() => answer(FAMILY));
  expect(shown()).toEqual([10, 11, 12, 13, 20]);
  act(() => row(10).focus());
  press('ArrowDown');
  expect(document.activeElement).toBe(row(11));
  expect(row(11).getAttribute('aria-level')).toBe('2');
  press('ArrowLeft');
  expect([shown(), row(11).getAttribute('aria-expanded')]).toEqual([[10, 11, 13, 20], 'false']);
  press('ArrowRight');
  expect([shown(), row(11).getAttribute('aria-expanded')]).toEqual([[10, 11, 12, 13, 20], 'true']);
  press('End');
  expect(document.activeElement).toBe(row(20));
  expect(document.querySelectorAll('[role=treeitem][tabindex="0"]').length).toBe(1);
});

test('figures are told in words', async () => {
  const page = await open(() => answer([process(10, 1, { cpuPercent: 12.4, state: 'running', isForeground: true })]));
  page.receive({ type: 'resource.state', sampledAt: '2026-01-01T00:03:00.000Z', memoryLevel: 'normal' });
  expect(row(10).textContent?.replaceAll(/ +/g, ' ')).toBe('program 10, in the foreground, running, memory 5.0 MiB, CPU 12 %, started 3 min, process 10');
});

test('it is asked again while on show, and the focus stays in the tree when its process ends', async () => {
  let processes = FAMILY;
  const page = await open(() => answer(processes));
  act(() => row(12).focus());
  processes = FAMILY.filter(({ pid }) => pid !== 12);
  await act(async () => void (await vi.advanceTimersByTimeAsync(3_000)));
  expect(shown()).toEqual([10, 11, 13, 20]);
  expect(document.activeElement).toBe(row(10));
  expect(page.asked).toEqual(Array(2).fill('/api/sessions/a/processes'));
  // Nobody can see it: nobody asks.
  vi.spyOn(document, 'hidden', 'get').mockReturnValue(true);
  act(() => void document.dispatchEvent(new Event('visibilitychange')));
  await act(async () => void (await vi.advanceTimersByTimeAsync(10_000)));
  expect(page.asked).toHaveLength(2);
  vi.spyOn(document, 'hidden', 'get').mockReturnValue(false);
  act(() => void document.dispatchEvent(new Event('visibilitychange')));
  expect(page.asked).toHaveLength(3);
  cleanUp();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(page.asked).toHaveLength(3);
});

test('what is not listed is counted, and nobody is told of as nobody', async () => {
  let now: object = answer(FAMILY, 1_234);
  await open(() => now);
  expect(document.body.textContent).toContain('5 of 1,234 are shown');
  now = answer([]);
  await act(async () => void (await vi.advanceTimersByTimeAsync(3_000)));
  expect(document.body.textContent).toBe('No process runs in it.');
});
