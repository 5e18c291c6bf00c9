import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startMonitor } from '../src/net/monitor';
import { Poller } from '../src/net/poller';
import type { ResourceState } from '../src/protocol/messages';
import { openPage, sessionNamed } from './support/page';

const START = Date.parse('2026-01-01T00:00:00Z');

beforeEach(() => void vi.useFakeTimers({ now: START }));
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function reading(percent: number, change: Partial<ResourceState> = {}): ResourceState {
  return {
    memoryUsagePercent: percent,
    memoryUsedBytes: percent * 1_000,
    memoryLimitBytes: 100_000,
    memoryLevel: 'normal',
    warnPercent: 87,
    criticalPercent: 93,
    cpuPercent: 12.5,
    maxSessions: 4,
    isAcceptingNewSessions: true,
    sampledAt: new Date().toISOString(),
    ...change,
  };
}

const warning = (memoryLevel: ResourceState['memoryLevel'], message: string) => ({
  type: 'resource.warning',
  message,
  memoryLevel,
  memoryUsagePercent: 88,
  isAcceptingNewSessions: memoryLevel !== 'critical',
});

const sample = (secondsAgo: number, percent: number) => ({
  time: new Date(Date.now() - secondsAgo * 1_000).toISOString(),
  memoryUsagePercent: percent,
});

/** The server's answers by route, and what was asked of it. */
function answer(routes: Record<string, () => unknown>) {
  const asked: string[] = [];
  vi.stubGlobal('fetch', async (path: string) => {
    asked.push(path);
    const body = await routes[path]?.();
    return { ok: body !== undefined, status: body === undefined ? 404 : 200, json: async () => body };
  });
  return asked;
}

const HISTORY = '/api/resources/history?seconds=600';

test('the level is known from the greeting, in the words of the server', () => {
  const page = openPage();
  page.connect();
  page.socket().control({ type: 'resource.state', ...reading(94.6, { memoryLevel: 'critical' }) });
  expect(page.store.get().alert).toEqual({
    level: 'critical',
    message: 'Memory critical (95%). Cannot create new sessions until memory is freed.',
    dismissed: false,
  });
  page.socket().control({ type: 'resource.state', ...reading(40) });
  expect(page.store.get().alert).toBeNull();
});

test('each change of level is told in the banner, and the recovery in a notice', () => {
  const page = openPage();
  page.connect();
  page.socket().control({ type: 'resource.state', ...reading(40) });
  page.socket().control({ ...warning('warning', 'High.'), details: 'Limit reached in about 40 s' });
  expect(page.store.get().alert).toEqual({ level: 'warning', message: 'High.', details: 'Limit reached in about 40 s', dismissed: false });
  page.socket().control(warning('critical', 'Critical.'));
  expect(page.store.get()).toMatchObject({ alert: { message: 'Critical.' }, resource: { memoryLevel: 'critical', isAcceptingNewSessions: false } });
  expect(page.notices()).toEqual([]);
  page.socket().control(warning('normal', 'Back to normal.'));
  expect(page.store.get().alert).toBeNull();
  expect(page.notices()).toEqual(['Back to normal.']);
});

test('a dismissed banner stays away until the level changes, also over a reconnect', () => {
  const page = openPage();
  const dismissed = () => page.store.get().alert?.dismissed;
  page.connect();
  page.socket().control(warning('warning', 'High.'));
  page.actions.dismissAlert();
  page.socket().control(warning('warning', 'Higher.'));
  page.socket().control({ type: 'resource.state', ...reading(89, { memoryLevel: 'warning' }) });
  expect(dismissed()).toBe(true);
  page.socket().control(warning('critical', 'Critical.'));
  expect(dismissed()).toBe(false);
  page.actions.dismissAlert();
  page.socket().control(warning('warning', 'High again.'));
  expect(dismissed()).toBe(false);
});

test('figures are asked for only while the page is connected and visible', async () => {
  const asked = answer({ '/api/resources': () => reading(50), [HISTORY]: () => ({ samples: [] }), '/api/sessions': () => ({ sessions: [] }) });
  const page = openPage();
  let visible = true;
  const watch = startMonitor(page.store, () => visible);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(asked).toEqual([]);

  page.connect();
  await vi.advanceTimersByTimeAsync(6_100);
  const count = (path: string) => asked.filter((one) => one === path).length;
  expect([count(HISTORY), count('/api/resources'), count('/api/sessions')]).toEqual([1, 4, 3]);

  visible = false;
  watch();
  asked.length = 0;
  await vi.advanceTimersByTimeAsync(8_000);
  expect(asked).toEqual([]);

  visible = true;
  watch();
  await vi.advanceTimersByTimeAsync(0);
  expect(asked.sort()).toEqual(['/api/resources', HISTORY, '/api/sessions']);
});

test('history comes before the readings, and ten minutes of both are kept', async () => {
  const samples = [sample(700, 10), sample(599, 20), sample(1, 30)];
  answer({ '/api/resources': () => reading(50), [HISTORY]: () => ({ samples }), '/api/sessions': () => ({ sessions: [] }) });
  const page = openPage();
  startMonitor(page.store, () => true);
  page.connect();
  await vi.advanceTimersByTimeAsync(2_100);
  expect(page.store.get().history.map((point) => point.percent)).toEqual([30, 50, 50]);
  for (let i = 0; i < 70; i++) {
    page.socket().control({ type: 'heartbeat', timestamp: 1 });
    await vi.advanceTimersByTimeAsync(10_000);
  }
  expect(page.store.get().history).toHaveLength(301);
});

test('the history outlives a server that has forgotten it', async () => {
  let samples = [sample(3, 10), sample(2, 20)];
  answer({ '/api/resources': () => reading(50), [HISTORY]: () => ({ samples }), '/api/sessions': () => ({ sessions: [] }) });
  const page = openPage();
  startMonitor(page.store, () => true);
  page.connect();
  await vi.advanceTimersByTimeAsync(0);
  page.socket().drop();
  await vi.advanceTimersByTimeAsync(1_000);
  samples = [sample(0, 30)];
  page.connect();
  await vi.advanceTimersByTimeAsync(0);
  expect(page.store.get().history.map((point) => point.percent)).toEqual([10, 20, 50, 30, 50]);
});

test('a reading that may be older than the last news of the level is dropped', async () => {
  let send = (_state: ResourceState) => {};
  const slow = new Promise<ResourceState>((resolve) => (send = resolve));
  answer({ '/api/resources': () => slow, [HISTORY]: () => ({ samples: [] }), '/api/sessions': () => ({ sessions: [] }) });
  const page = openPage();
  startMonitor(page.store, () => true);
  page.connect();
  page.socket().control({ type: 'resource.state', ...reading(80) });
  await vi.advanceTimersByTimeAsync(0);
  page.socket().control(warning('critical', 'Critical.'));
  send(reading(80));
  await vi.advanceTimersByTimeAsync(0);
  expect(page.store.get().resource).toMatchObject({ memoryLevel: 'critical', memoryUsagePercent: 88, memoryUsedBytes: 88_000 });
});

test('figures of sessions are merged, and only those', async () => {
  const fresh = { memoryBytes: 5_000, cpuPercent: 3.5, processCount: 2, lastActivity: '2026-01-01T00:00:09Z' };
  const sessions = [sessionNamed('a', { ...fresh, name: 'other', status: 'stopped' }), sessionNamed('new')];
  answer({ '/api/resources': () => reading(50), [HISTORY]: () => ({ samples: [] }), '/api/sessions': () => ({ sessions }) });
  const page = openPage();
  startMonitor(page.store, () => true);
  page.connect(sessionNamed('a'), sessionNamed('bb'));
  await vi.advanceTimersByTimeAsync(0);
  expect(page.store.get().sessions.map((session) => session.id)).toEqual(['a', 'bb']);
  expect(page.store.get().sessions[0]).toMatchObject({ ...fresh, name: 'a', status: 'active' });
});

test('figures outlive a message that has none, but not the program', async () => {
  const page = openPage();
  const figures = { memoryBytes: 5_000, cpuPercent: 3.5, processCount: 2 };
  page.connect(sessionNamed('a', figures));
  page.socket().control({ type: 'session.updated', session: sessionNamed('a', { name: 'renamed' }) });
  expect(page.store.get().sessions[0]).toMatchObject({ name: 'renamed', ...figures });
  page.socket().control({ type: 'session.list', sessions: [sessionNamed('a')], generation: 2 });
  expect(page.store.get().sessions[0]).toMatchObject(figures);
  page.socket().control({ type: 'session.updated', session: sessionNamed('a', { status: 'stopped' }) });
  expect(page.store.get().sessions[0]?.memoryBytes).toBeUndefined();
});

test('a poller goes on after a failure and never asks twice at a time', async () => {
  const asked: boolean[] = [];
  const poller = new Poller(async ({ first }) => {
    asked.push(first);
    await new Promise((_, reject) => setTimeout(() => reject(new Error('no')), 500));
  }, 1_000);
  poller.switch(true);
  poller.switch(true);
  await vi.advanceTimersByTimeAsync(1_600);
  expect(asked).toEqual([true, false]);
  poller.switch(false);
  await vi.advanceTimersByTimeAsync(10_000);
  poller.switch(true);
  expect(asked).toEqual([true, false, true]);
});

test('what a sweep ended is counted together and forgotten after a while', () => {
  const page = openPage();
  page.connect();
  const cleaned = (pid: number) => page.socket().control({ type: 'process.cleaned', pid, command: 'sleep', reason: 'its session is gone' });
  cleaned(7);
  vi.advanceTimersByTime(20_000);
  cleaned(8);
  vi.advanceTimersByTime(20_000);
  expect(page.store.get().upkeep.sweep).toEqual({ count: 2, last: 'Process 8 (sleep) was ended: its session is gone.' });
  vi.advanceTimersByTime(20_000);
  expect(page.store.get().upkeep.sweep).toBeUndefined();
});

test('a server that was started again between two connections is noticed', async () => {
  let serverRestarts = 3;
  answer({ '/api/health': () => ({ serverRestarts }) });
  const page = openPage();
  page.connect();
  await page.actions.countRestarts();
  expect(page.store.get().upkeep).toEqual({});
  serverRestarts = 4;
  await page.actions.countRestarts();
  expect(page.store.get().upkeep.restart).toEqual({ count: 1 });
});
