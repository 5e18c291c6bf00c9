import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { WINDOW_HIDDEN, WINDOW_VISIBLE } from '../src/net/sessionStream';
import { openPage, sessionNamed } from './support/page';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function attachedPage(head = 0) {
  const page = openPage();
  page.connect(sessionNamed('a'));
  page.attached('a', 7, 0, head);
  return page;
}

function reconnect(page: ReturnType<typeof openPage>, ...sessions: object[]) {
  page.socket().drop();
  vi.advanceTimersByTime(1_000);
  page.connect(...sessions);
}

test('every session is attached from its oldest byte, hidden ones with a smaller window', () => {
  const page = openPage();
  page.connect(sessionNamed('a'), sessionNamed('bb'));
  expect(page.socket().controls('session.attach')).toEqual([
    { type: 'session.attach', sessionId: 'a', offset: 'oldest', window: WINDOW_VISIBLE },
    { type: 'session.attach', sessionId: 'bb', offset: 'oldest', window: WINDOW_HIDDEN },
  ]);
});

test('after a break the stream goes on at the next offset, also of what is not parsed yet', () => {
  const page = attachedPage();
  page.socket().output(7, 0, 'one ');
  page.screen('a').parse();
  page.socket().output(7, 4, 'two ');
  reconnect(page, sessionNamed('a'));
  expect(page.socket().controls('session.attach')).toMatchObject([{ sessionId: 'a', offset: 8 }]);
  page.attached('a', 3, 8, 14);
  page.socket().output(3, 8, 'three ');
  page.screen('a').parse();
  expect(page.screen('a').text).toBe('one two three ');
});

test('bytes that were already given to the terminal are dropped, wholly or in part', () => {
  const page = attachedPage();
  page.socket().output(7, 0, 'abcd');
  page.socket().output(7, 1, 'bc');
  page.socket().output(7, 2, 'cdef');
  page.screen('a').parse();
  expect(page.screen('a').text).toBe('abcdef');
});

test('frames of a channel of the last connection go nowhere', () => {
  const page = attachedPage();
  reconnect(page, sessionNamed('a'));
  page.socket().output(7, 0, 'ghost');
  page.screen('a').parse();
  expect(page.screen('a').text).toBe('');
});

test('a gap is shown once, in its place, however it is announced', () => {
  const page = attachedPage();
  page.socket().output(7, 0, 'ab');
  page.socket().control({ type: 'terminal.gap', sessionId: 'a', from: 2, to: 1002 });
  page.socket().control({ type: 'terminal.gap', sessionId: 'a', from: 2, to: 1002 });
  page.socket().output(7, 1002, 'yz');
  page.screen('a').parse();
  expect(page.screen('a').text).toBe('ab<1000 skipped>yz');
});

test('history that begins late says how much of it is gone', () => {
  const page = openPage();
  page.connect(sessionNamed('a'));
  page.attached('a', 1, 500, 503);
  page.socket().output(1, 500, 'xyz');
  page.screen('a').parse();
  expect(page.screen('a').text).toBe('<500 skipped>xyz');
});

test('a stream that began again starts an empty terminal, and old parsing does not count', () => {
  const page = attachedPage();
  page.socket().output(7, 0, 'long ago');
  reconnect(page, sessionNamed('a'));
  page.attached('a', 1, 0, 3);
  page.socket().output(1, 0, 'new');
  page.screen('a').parse();
  expect(page.screen('a')).toMatchObject({ text: 'new', resets: 1 });
  vi.advanceTimersByTime(100);
  expect(page.socket().controls('terminal.ack')).toMatchObject([{ offset: 3 }]);
});

const refuse = (page: ReturnType<typeof openPage>, code: string) =>
  page.socket().control({ type: 'error', code, message: 'no such offset', sessionId: 'a' });
const offsets = (page: ReturnType<typeof openPage>) => page.socket().controls('session.attach').map((message) => message['offset']);

test('after a restart that lost the end of the output, the terminal is emptied and filled from the oldest byte', () => {
  const page = attachedPage();
  page.socket().output(7, 0, 'of a container that is gone');
  reconnect(page, sessionNamed('a'));
  expect(offsets(page)).toEqual([27]);
  refuse(page, 'OFFSET_OUT_OF_RANGE');
  expect(offsets(page)).toEqual([27, 'oldest']);
  page.attached('a', 1, 4, 9);
  page.socket().output(1, 4, 'of it');
  page.screen('a').parse();
  expect(page.screen('a')).toMatchObject({ text: '<4 skipped>of it', resets: 1 });
  vi.advanceTimersByTime(16);
  expect(page.socket().controls('terminal.ack')).toMatchObject([{ offset: 9 }]);
  expect(page.notices()).toEqual([]);
  // The keyboard reaches the new attachment, counted from 1.
  page.screen('a').type('x');
  expect(page.socket().inputs().map(({ channel, offset }) => [channel, offset])).toEqual([[1, 1]]);
});

test('output of a life that began while nobody listened is not joined to what was seen before', () => {
  const page = openPage();
  page.connect(sessionNamed('a', { startedAt: '2026-01-01T00:00:00.000Z' }));
  page.attached('a', 7, 0, 0);
  page.socket().output(7, 0, 'kept, and lost with the container');
  reconnect(page, sessionNamed('a', { startedAt: '2026-01-01T01:00:00.000Z' }));
  expect(offsets(page)).toEqual(['oldest']);
  page.attached('a', 1, 0, 40);
  page.socket().output(1, 0, 'kept, and written by another program now');
  page.screen('a').parse();
  expect(page.screen('a')).toMatchObject({ text: 'kept, and written by another program now', resets: 1 });
});

test('the same life goes on where it was left, also once it has ended', () => {
  const page = openPage();
  const startedAt = '2026-01-01T00:00:00.000Z';
  page.connect(sessionNamed('a', { startedAt }));
  page.attached('a', 7, 0, 0);
  page.socket().output(7, 0, 'abc');
  reconnect(page, sessionNamed('a', { startedAt, status: 'idle' }));
  expect(offsets(page)).toEqual([3]);
});

test('a refusal from the oldest byte on is told, not tried for ever', () => {
  const page = attachedPage();
  page.socket().output(7, 0, 'abc');
  reconnect(page, sessionNamed('a'));
  refuse(page, 'OFFSET_OUT_OF_RANGE');
  refuse(page, 'OFFSET_OUT_OF_RANGE');
  expect(offsets(page)).toEqual([3, 'oldest']);
  expect(page.notices()).toEqual(['a: no such offset']);
});

test('an error about something else empties no terminal', () => {
  const page = attachedPage();
  page.socket().output(7, 0, 'abc');
  page.screen('a').parse();
  reconnect(page, sessionNamed('a'));
  refuse(page, 'NOT_RUNNING');
  expect([offsets(page), page.screen('a').text, page.screen('a').resets]).toEqual([[3], 'abc', 0]);
  page.attached('a', 1, 3, 5);
  page.socket().output(1, 3, 'de');
  page.screen('a').parse();
  expect(page.screen('a').text).toBe('abcde');
});

test('nothing is acknowledged before the terminal has parsed it', () => {
  const page = attachedPage();
  page.socket().output(7, 0, 'x'.repeat(10));
  vi.advanceTimersByTime(1_000);
  expect(page.socket().controls('terminal.ack')).toEqual([]);
  page.screen('a').parse();
  vi.advanceTimersByTime(16);
  expect(page.socket().controls('terminal.ack')).toEqual([{ type: 'terminal.ack', sessionId: 'a', offset: 10 }]);
});

test('small chunks share one ack; a quarter of the window is acknowledged at once', () => {
  const page = attachedPage();
  const piece = 'x'.repeat(1024);
  for (let i = 0; i < 10; i++) page.socket().output(7, i * 1024, piece);
  page.screen('a').parse();
  expect(page.socket().controls('terminal.ack')).toEqual([]);
  vi.advanceTimersByTime(16);
  expect(page.socket().controls('terminal.ack')).toMatchObject([{ offset: 10 * 1024 }]);
  for (let i = 10; i < 10 + 128; i++) page.socket().output(7, i * 1024, piece);
  page.screen('a').parse();
  expect(page.socket().controls('terminal.ack').map((message) => message['offset'])).toEqual([10, 74, 138].map((kib) => kib * 1024));
});

test('acks of a broken connection are not sent on the next one', () => {
  const page = attachedPage();
  page.socket().output(7, 0, 'abc');
  page.screen('a').parse();
  reconnect(page, sessionNamed('a'));
  vi.advanceTimersByTime(100);
  expect(page.socket().controls('terminal.ack')).toEqual([]);
});

test('history ends on the exact byte, also in the middle of a frame', () => {
  const page = attachedPage(3);
  const { mute } = page.screen('a').hooks;
  page.socket().output(7, 0, 'oldnew');
  expect(mute()).toBe(true);
  page.screen('a').parse(1);
  expect(page.screen('a').text).toBe('old');
  expect(mute()).toBe(false);
  page.screen('a').parse();
  expect(page.screen('a').text).toBe('oldnew');
});

test('what was missed during a break is history too', () => {
  const page = attachedPage();
  page.socket().output(7, 0, 'ab');
  page.screen('a').parse();
  reconnect(page, sessionNamed('a'));
  page.attached('a', 1, 2, 5);
  const { mute } = page.screen('a').hooks;
  page.socket().output(1, 2, 'cde');
  expect(mute()).toBe(true);
  page.screen('a').parse();
  expect(mute()).toBe(false);
});
