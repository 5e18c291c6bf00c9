// @vitest-environment happy-dom
import { act } from 'react';
import { afterEach, expect, test, vi } from 'vitest';
import { AwayBanner } from '../src/components/AwayBanner';
import { ResourceBanner } from '../src/components/ResourceBanner';
import { TopBar } from '../src/components/TopBar';
import { cleanUp, click, find, render, textOf } from './support/render';
import { sessionNamed } from './support/page';

afterEach(cleanUp);
afterEach(() => void vi.useRealTimers());

const MIB = 2 ** 20;
const state = (percent: number, memoryLevel = 'normal') => ({
  type: 'resource.state',
  memoryUsagePercent: percent,
  memoryUsedBytes: percent * MIB,
  memoryLimitBytes: 100 * MIB,
  memoryLevel,
  warnPercent: 87,
  criticalPercent: 93,
  cpuPercent: 130.4,
  cpuLimitPercent: 200,
  maxSessions: 4,
  isAcceptingNewSessions: memoryLevel !== 'critical',
  sampledAt: '2026-01-01T00:00:00.000Z',
});
const banner = '[data-testid=resource-banner]';
const change = (memoryLevel: string, message: string) => ({
  type: 'resource.warning',
  message,
  memoryLevel,
  memoryUsagePercent: 93,
  isAcceptingNewSessions: memoryLevel !== 'critical',
});

test('the bar shows memory, CPU and sessions in words', () => {
  const page = render(<TopBar />);
  page.list(sessionNamed('a'));
  page.receive(state(42.4));
  expect(find('[role=meter]').getAttribute('aria-valuetext')).toBe('42 MiB of 100 MiB, 42 %');
  expect(find('[role=meter]').getAttribute('aria-valuenow')).toBe('42');
  expect(textOf('[data-testid=cpu]')).toContain('130 %');
  expect(find('[data-testid=cpu]').title).toContain('200 %');
  expect(textOf('[data-testid=session-count]')).toBe('1/4');
});

test.each(['warning', 'critical'])('level %s is told by more than a colour', (level) => {
  const page = render(<TopBar />);
  page.list();
  page.receive(state(90, level));
  expect(find('[role=meter]').dataset['level']).toBe(level);
  expect(textOf('[role=meter]')).toContain(level === 'warning' ? 'high' : 'critical');
});

test.each([
  [87, 93],
  [40.5, 50],
])('graph and gauge have their lines at the thresholds %d and %d', (warnPercent, criticalPercent) => {
  const page = render(<TopBar />);
  page.list();
  page.receive({ ...state(10), warnPercent, criticalPercent });
  const lines = [...document.querySelectorAll<SVGLineElement>('[data-testid=memory-graph] line')];
  expect(lines.map((line) => Number(line.getAttribute('y1')))).toEqual([100 - warnPercent, 100 - criticalPercent]);
  expect(textOf('[data-testid=memory-graph] title')).toContain(`The lines are at ${warnPercent} % and ${criticalPercent} %.`);
  const marks = [...document.querySelectorAll<HTMLElement>('[role=meter] [style^="left"]')];
  expect(marks.map((mark) => mark.style.left)).toEqual([`${warnPercent}%`, `${criticalPercent}%`]);
});

test('swept processes and a restarted server are told', () => {
  const page = render(<TopBar />);
  page.list();
  for (const pid of [7, 8]) page.receive({ type: 'process.cleaned', pid, command: 'sleep 9', reason: 'its session is gone' });
  expect(document.body.textContent).toContain('2 leftover processes ended');
  expect(find('[title^="Process 8"]').title).toBe('Process 8 (sleep 9) was ended: its session is gone.');
});

test('a lost connection is shown steadily, whatever attempt is under way', () => {
  vi.useFakeTimers();
  const page = render(<TopBar />);
  expect(textOf('[data-testid=connection]').trim()).toBe('Connecting');
  page.list();
  expect(textOf('[data-testid=connection]').trim()).toBe('Connected');
  act(() => page.socket().drop());
  const phases = new Set<string | undefined>();
  for (let i = 0; i < 20; i++) {
    act(() => void vi.advanceTimersByTime(20));
    phases.add(find('[data-testid=connection]').dataset['phase']);
    expect(textOf('[data-testid=connection]').trim()).toBe('Not connected, trying again');
    expect(textOf('header .button')).toBe('Try now');
  }
  expect([...phases]).toEqual(['waiting', 'connecting']);
});

test('what a lost connection means is told when it lasts', () => {
  vi.useFakeTimers();
  const page = render(<AwayBanner />);
  const told = () => document.querySelector('[data-testid=away]')?.textContent ?? '';
  act(() => void vi.advanceTimersByTime(5_000));
  expect(told()).toBe('');
  page.list();
  act(() => page.socket().drop());
  act(() => void vi.advanceTimersByTime(1_400));
  expect(told()).toBe('');
  act(() => void vi.advanceTimersByTime(200));
  expect(told()).toContain('what you type is not sent');
  page.list();
  expect(told()).toBe('');
  act(() => page.socket().drop());
  expect(told()).toBe('');
});

test('the banner says what the server says, word for word', () => {
  const page = render(<ResourceBanner />);
  page.list();
  expect(textOf(banner)).toBe('');
  const high = 'High memory usage (87%). Consider closing idle sessions.';
  page.receive(change('warning', high));
  expect(textOf(`${banner} p`)).toBe(high);
  expect(find(banner).getAttribute('role')).toBe('status');
  const critical = 'Memory critical (93%). Cannot create new sessions until memory is freed.';
  page.receive(change('critical', critical));
  expect(textOf(`${banner} p`)).toBe(critical);
  page.receive(change('normal', 'Memory usage back to normal (40%).'));
  expect(textOf(banner)).toBe('');
});

test('the dismissed banner comes back with another level', () => {
  const page = render(<ResourceBanner />);
  page.list();
  page.receive(change('warning', 'High.'));
  click(`${banner} button`);
  expect(textOf(banner)).toBe('');
  page.receive(change('critical', 'Critical.'));
  expect(textOf(banner)).toBe('Critical.');
});
