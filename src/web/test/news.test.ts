// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Session } from '../src/protocol/messages';
import { initialState } from '../src/state/appState';
import { askForNotices, DesktopNotices } from '../src/state/desktopNotices';
import { endingSentence, endingWithTime } from '../src/state/ending';
import { highest, withFigurePoints } from '../src/state/figures';
import { keepNews, newsBetween, watchSessions } from '../src/state/sessionWatch';
import { defaultSettings } from '../src/state/settings';
import { Store } from '../src/state/store';
import { openPage, sessionNamed } from './support/page';

const session = (id: string, change: object = {}) => sessionNamed(id, change) as Session;
const STARTED = '2026-01-01T00:00:00.000Z';
const ended = (change: object) => session('a', { status: 'error', startedAt: STARTED, lastActivity: '2026-01-01T03:00:05.000Z', ...change });

test('an end is told in words, with the time it took where that is known', () => {
  expect(endingWithTime(ended({ exitReason: 'ended with code 1', exitCode: 1 }))).toBe('ended with code 1 after 3 h');
  expect(endingWithTime(ended({ exitReason: 'killed by the kernel: out of memory' }))).toBe('killed by the kernel: out of memory after 3 h');
  expect(endingWithTime(ended({ signal: 'SIGTERM', lastActivity: '2026-01-01T00:00:02.000Z' }))).toBe('killed by SIGTERM after a few seconds');
  expect(endingWithTime(ended({ exitCode: 0, startedAt: undefined }))).toBe('ended with code 0');
});

test.each([
  [{ status: 'idle' }, 'The container was started again; the program ended with the container. Resume starts it again in the same place.'],
  [
    { status: 'idle', exitReason: 'stopped with the container (killed by SIGTERM)' },
    'The container was started again; the program was stopped with the container (killed by SIGTERM). Resume starts it again in the same place.',
  ],
  [{ exitReason: 'killed by the kernel: out of memory', signal: 'SIGKILL' }, 'The program was killed by the kernel: out of memory.'],
  [{ exitReason: 'stopped on request (killed by SIGTERM)', signal: 'SIGTERM' }, 'The program was stopped on request (killed by SIGTERM).'],
  [{ exitReason: 'ended with code 3', exitCode: 3 }, 'The program ended with exit code 3.'],
  [{ signal: 'SIGSEGV' }, 'The program was ended by signal SIGSEGV.'],
  [{ exitReason: 'the container was restarted' }, 'The program ended: the container was restarted.'],
  [{}, 'The program failed.'],
])('%j is "%s"', (change, words) => expect(endingSentence(ended(change))).toBe(words));

test('news are what has changed, each told once', () => {
  const before = [session('a'), session('bb', { status: 'stopped' }), session('ccc'), session('gone')];
  const after = [ended({ exitReason: 'ended with code 1' }), session('bb'), session('ccc', { status: 'waiting' }), session('dddd')];
  expect(newsBetween(before, after).map(({ session: { id }, kind, text }) => [id, kind, text])).toEqual([
    ['a', 'ended', 'Its program ended with code 1 after 3 h.'],
    ['bb', 'started', 'Its program was started again.'],
    ['ccc', 'waiting', 'It waits for you.'],
    ['dddd', 'created', 'It was created.'],
  ]);
  expect(newsBetween(after, after)).toEqual([]);
});

test('what a session needs is told once for each need, in its own words', () => {
  const waiting = (needsInputMessage?: string) => session('a', { status: 'waiting', needsInput: true, needsInputMessage });
  const texts = (before: Session, after: Session) => newsBetween([before], [after]).map(({ text }) => text);
  expect(texts(session('a'), waiting('Allow rm?'))).toEqual(['It waits for you: Allow rm?']);
  expect(texts(waiting('Allow rm?'), waiting('Allow rm?'))).toEqual([]);
  expect(texts(waiting('Allow rm?'), waiting('Allow mv?'))).toEqual(['It waits for you: Allow mv?']);
  expect(texts(session('a'), waiting())).toEqual(['It waits for you.']);
  expect(texts(waiting('Allow mv?'), session('a'))).toEqual([]);
});

test('a need is over with the status, whatever the last message was', () => {
  const page = openPage();
  page.connect(sessionNamed('a'));
  page.socket().control({ type: 'session.needsInput', sessionId: 'a', message: 'Allow rm?' });
  expect(page.store.get().sessions[0]).toMatchObject({ needsInput: true, needsInputMessage: 'Allow rm?' });
  page.socket().control({ type: 'session.status', sessionId: 'a', status: 'active' });
  expect(page.store.get().sessions[0]).toMatchObject({ needsInput: false, needsInputMessage: null });
});

test('events of a session are kept in order: its life, warnings, what was swept', () => {
  const page = openPage();
  watchSessions(page.store, (news) => keepNews(page.store, news));
  page.connect(sessionNamed('a', { startedAt: STARTED }));
  page.socket().control({ type: 'session.created', session: sessionNamed('bb') });
  page.socket().control({ type: 'session.warning', sessionId: 'a', message: 'short of memory', severity: 'warning' });
  page.socket().control({ type: 'process.cleaned', pid: 7, sessionId: 'a', command: 'sleep', reason: 'its session has ended' });
  page.socket().control({ type: 'process.cleaned', pid: 8, command: 'stray', reason: 'its session is gone' });
  page.socket().control({ type: 'session.updated', session: sessionNamed('a', { status: 'error', exitReason: 'ended with code 1', lastActivity: '2026-01-01T00:02:00.000Z' }) });
  const texts = (id: string) => page.store.get().events[id]?.map((event) => event.text);
  expect(texts('a')).toEqual(['short of memory', 'Process 7 (sleep) was ended: its session has ended.', 'Its program ended with code 1 after 2 min.']);
  expect(texts('bb')).toEqual(['It was created.']);
  page.socket().control({ type: 'session.destroyed', sessionId: 'bb' });
  expect(texts('bb')).toBeUndefined();
});

test('figures are kept for an hour and of known sessions only; an ended one uses nothing', () => {
  let state = initialState;
  for (let i = 0; i < 1_300; i++) state = withFigurePoints(state, [session('a', { memoryBytes: i, cpuPercent: 1 }), session('bb')], i);
  expect(state.figures['a']?.length).toBe(1_200);
  expect(state.figures['a']?.at(-1)).toEqual({ unixMs: 1_299, memoryBytes: 1_299, cpuPercent: 1 });
  state = withFigurePoints(state, [session('a', { status: 'stopped', memoryBytes: 5 })], 2_000);
  expect(state.figures['a']?.at(-1)).toEqual({ unixMs: 2_000, memoryBytes: null, cpuPercent: null });
  expect(Object.keys(state.figures)).toEqual(['a']);
  expect([highest([null, 2, 7, 3, null]), highest([null])]).toEqual([7, null]);
});

const shown: { title: string; options: NotificationOptions; onclick?: () => void }[] = [];
beforeEach(() => {
  shown.length = 0;
  class Shown {
    static permission = 'granted';
    onclick?: () => void;
    constructor(
      readonly title: string,
      readonly options: NotificationOptions,
    ) {
      shown.push(this);
    }
    close() {}
  }
  vi.stubGlobal('Notification', Shown);
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

function noticing(notify: boolean, focused: boolean) {
  const focus = vi.spyOn(document, 'hasFocus').mockReturnValue(focused);
  const store = new Store({ ...initialState, listed: true, sessions: [session('a'), session('bb')], activeId: 'a' });
  const settings = new Store({ ...defaultSettings, notify });
  const select = (activeId: string) => store.update((state) => ({ ...state, activeId }));
  const notices = new DesktopNotices(store, settings, select);
  watchSessions(store, (news) => notices.tell(news));
  const change = (id: string, to: object) =>
    store.update((state) => ({ ...state, sessions: state.sessions.map((each) => (each.id === id ? { ...each, ...to } : each)) }));
  return { store, settings, focus, change };
}

test('nothing leaves the page unless it was asked for', () => {
  const { store, change } = noticing(false, false);
  change('a', { status: 'error' });
  expect([shown, store.get().unseen]).toEqual([[], []]);
});

test('who looks elsewhere is told without a sound, and a click goes there', () => {
  const { store, focus, change } = noticing(true, false);
  change('bb', { status: 'waiting' });
  expect(shown).toMatchObject([{ title: 'bb', options: { body: 'It waits for you.', silent: true, tag: 'quarterdeck-bb' } }]);
  expect(store.get().unseen).toEqual(['bb']);
  focus.mockReturnValue(true);
  shown[0]?.onclick?.();
  expect([store.get().activeId, store.get().unseen]).toEqual(['bb', []]);
});

test('on this page another tab only counts in the title, the one on show not at all', () => {
  const { store, settings, change } = noticing(true, true);
  change('a', { status: 'stopped' });
  expect(store.get().unseen).toEqual([]);
  change('bb', { status: 'stopped', exitReason: 'ended with code 0' });
  expect([store.get().unseen, shown]).toEqual([['bb'], []]);
  settings.update((current) => ({ ...current, notify: false }));
  expect(store.get().unseen).toEqual([]);
});

test('an end on request or with the container is no news', () => {
  const { store, change } = noticing(true, false);
  change('a', { status: 'idle', exitReason: 'stopped with the container (killed by SIGTERM)' });
  change('bb', { status: 'stopped', exitReason: 'stopped on request (killed by SIGTERM)' });
  expect([shown, store.get().unseen]).toEqual([[], []]);
});

test('coming back to the window is looking at the session on show', () => {
  const { store, focus, change } = noticing(true, false);
  change('a', { status: 'error' });
  expect(store.get().unseen).toEqual(['a']);
  focus.mockReturnValue(true);
  window.dispatchEvent(new Event('focus'));
  expect(store.get().unseen).toEqual([]);
});

test('a browser that does not allow notices says so in words', async () => {
  expect(await askForNotices()).toBeNull();
  vi.stubGlobal('Notification', { permission: 'default', requestPermission: async () => 'denied' });
  expect(await askForNotices()).toMatch(/^The browser does not allow notifications/);
  vi.stubGlobal('Notification', undefined);
  expect(await askForNotices()).toMatch(/^This browser has no notifications here/);
});
