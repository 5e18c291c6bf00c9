import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openPage, sessionNamed } from './support/page';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const names = (page: ReturnType<typeof openPage>) => page.store.get().sessions.map((session) => session.name);

test('sessions come, change and go with the messages', () => {
  const page = openPage();
  page.connect();
  page.socket().control({ type: 'session.created', session: sessionNamed('a') });
  page.socket().control({ type: 'session.created', session: sessionNamed('bb') });
  page.socket().control({ type: 'session.updated', session: sessionNamed('a', { name: 'renamed' }) });
  expect(names(page)).toEqual(['renamed', 'bb']);
  expect(page.store.get().activeId).toBe('a');
  page.socket().control({ type: 'session.destroyed', sessionId: 'a' });
  expect(names(page)).toEqual(['bb']);
  expect(page.store.get().activeId).toBe('bb');
  expect([...page.screens.keys()]).toEqual(['bb']);
});

test('what is gone from the list after a break is gone from the page', () => {
  const page = openPage();
  page.connect(sessionNamed('a'), sessionNamed('bb'));
  page.socket().drop();
  vi.advanceTimersByTime(1_000);
  page.connect(sessionNamed('bb'));
  expect(names(page)).toEqual(['bb']);
  expect([...page.screens.keys()]).toEqual(['bb']);
});

test('the exit says how the program ended, and the last output is still taken', () => {
  const page = openPage();
  page.connect(sessionNamed('a'));
  page.attached('a', 1, 0, 0);
  page.socket().output(1, 0, 'bye');
  page.socket().control({ type: 'terminal.exit', sessionId: 'a', exitCode: 3, offset: 3 });
  page.screen('a').parse();
  expect(page.screen('a').text).toBe('bye');
  expect(page.store.get().sessions[0]).toMatchObject({ exitCode: 3 });
});

test('a session this page creates is attached as the visible one, whichever news is first', async () => {
  const page = openPage();
  page.connect(sessionNamed('a'));
  await page.client.streams.whileCreating(async () => {
    page.socket().control({ type: 'session.created', session: sessionNamed('bb') });
    expect(page.socket().controls('session.attach').map((message) => message['sessionId'])).toEqual(['a']);
    page.store.update((state) => ({ ...state, activeId: 'bb' }));
  });
  expect(page.socket().controls('session.attach')[1]).toMatchObject({ sessionId: 'bb', window: 256 * 1024 });
});

test('the size follows others, and is asked for while a program runs', () => {
  const page = openPage();
  page.connect(sessionNamed('a'));
  page.attached('a', 1, 0, 0);
  expect(page.screen('a').size).toEqual([100, 30]);
  page.socket().control({ type: 'terminal.resized', sessionId: 'a', cols: 120, rows: 40 });
  expect(page.screen('a').size).toEqual([120, 40]);
  expect(page.screen('a').hooks.resized(100, 30)).toBe(true);
  expect(page.socket().controls('terminal.resize')).toEqual([{ type: 'terminal.resize', sessionId: 'a', cols: 100, rows: 30 }]);
  page.socket().control({ type: 'session.updated', session: sessionNamed('a', { status: 'stopped' }) });
  expect(page.screen('a').hooks.resized(90, 30)).toBe(false);
  expect(page.socket().controls('terminal.resize').length).toBe(1);
  page.socket().drop();
});

test('messages of a later protocol and unreadable ones do no harm', () => {
  const complaint = vi.spyOn(console, 'error').mockImplementation(() => {});
  const page = openPage();
  page.connect(sessionNamed('a'));
  page.socket().control({ type: 'session.teleported', sessionId: 'a' });
  page.socket().message('{"no":"type"}');
  page.socket().message(new ArrayBuffer(3));
  expect(names(page)).toEqual(['a']);
  expect(complaint).toHaveBeenCalledTimes(2);
  complaint.mockRestore();
});
