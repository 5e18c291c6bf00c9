import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { INPUT_CHUNK, INPUT_WINDOW } from '../src/net/inputQueue';
import { pastedBytes } from '../src/terminal/paste';
import type { FakeSocket } from './support/fakeSocket';
import { openPage, sessionNamed } from './support/page';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function attachedPage() {
  const page = openPage();
  page.connect(sessionNamed('a'), sessionNamed('bb'));
  page.attached('a', 1, 0, 0);
  page.attached('bb', 2, 0, 0);
  return page;
}

const textOf = (socket: FakeSocket, channel: number) =>
  socket
    .inputs()
    .filter((frame) => frame.channel === channel)
    .map((frame) => new TextDecoder().decode(frame.payload))
    .join('');

const ack = (socket: FakeSocket, sessionId: string, sequence: number) =>
  socket.control({ type: 'terminal.inputAck', sessionId, sequence });

test('input goes to its own channel, numbered from 1', () => {
  const page = attachedPage();
  page.screen('a').type('l');
  page.screen('bb').type('x');
  page.screen('a').type('s');
  expect(page.socket().inputs().map(({ channel, offset }) => [channel, offset])).toEqual([
    [1, 1],
    [2, 1],
    [1, 2],
  ]);
});

test('a paste larger than the window waits for acks and arrives whole and in order', () => {
  const page = attachedPage();
  const paste = Array.from({ length: 40_000 }, (_, i) => `${i} `).join('');
  page.screen('a').type(paste);
  page.screen('a').type('after');
  const sentBytes = () => page.socket().inputs().reduce((sum, frame) => sum + frame.payload.byteLength, 0);
  expect(sentBytes()).toBe(INPUT_WINDOW);
  for (let sequence = 1; sequence <= page.socket().inputs().length; sequence++) ack(page.socket(), 'a', sequence);
  expect(textOf(page.socket(), 1)).toBe(`${paste}after`);
  expect(Math.max(...page.socket().inputs().map((frame) => frame.payload.byteLength))).toBe(INPUT_CHUNK);
});

test('a session that does not read holds nobody else back', () => {
  const page = attachedPage();
  page.screen('a').type('x'.repeat(1_000_000));
  page.screen('bb').type('quick');
  page.socket().output(2, 0, 'echo');
  page.screen('bb').parse();
  vi.advanceTimersByTime(16);
  expect(textOf(page.socket(), 2)).toBe('quick');
  expect(page.socket().controls('terminal.ack')).toMatchObject([{ sessionId: 'bb', offset: 4 }]);
});

test('input without an ack is not sent twice after a break, and the user is told', () => {
  const page = attachedPage();
  page.screen('a').type('sent');
  ack(page.socket(), 'a', 1);
  page.screen('a').type('maybe');
  page.socket().drop();
  expect(page.notices()).toEqual([expect.stringContaining('5 bytes of input for a ')]);
  vi.advanceTimersByTime(1_000);
  page.connect(sessionNamed('a'));
  page.attached('a', 1, 0, 0);
  expect(page.socket().inputs()).toEqual([]);
  page.screen('a').type('again');
  expect(page.socket().inputs().map((frame) => frame.offset)).toEqual([1]);
  expect(textOf(page.socket(), 1)).toBe('again');
});

test('nothing under way, nothing to tell', () => {
  const page = attachedPage();
  page.screen('a').type('x');
  ack(page.socket(), 'a', 1);
  page.socket().drop();
  expect(page.notices()).toEqual([]);
});

test('what is typed without a connection is refused in words', () => {
  const page = attachedPage();
  page.socket().drop();
  page.screen('a').type('rm -rf build');
  expect(page.notices()).toEqual(['Not connected: what you type is not sent.']);
  vi.advanceTimersByTime(1_000);
  page.connect(sessionNamed('a'));
  page.attached('a', 1, 0, 0);
  expect(page.socket().inputs()).toEqual([]);
});

test('what is typed before the attachment is there waits for it', () => {
  const page = openPage();
  page.connect(sessionNamed('a'));
  page.screen('a').type('early');
  expect(page.socket().inputs()).toEqual([]);
  page.attached('a', 4, 0, 0);
  expect(textOf(page.socket(), 4)).toBe('early');
});

test('an ended session takes no input, a resumed one does', () => {
  const page = attachedPage();
  page.socket().control({ type: 'session.updated', session: sessionNamed('a', { status: 'stopped' }) });
  page.screen('a').type('lost');
  expect(page.socket().inputs()).toEqual([]);
  page.socket().control({ type: 'session.status', sessionId: 'a', status: 'active', lastActivity: '' });
  page.screen('a').type('heard');
  expect(textOf(page.socket(), 1)).toBe('heard');
});

const progressOf = (page: ReturnType<typeof openPage>) => page.store.get().pastes['a'];
const ackAll = (page: ReturnType<typeof openPage>) => {
  for (let sequence = 1; sequence <= page.socket().inputs().length; sequence++) ack(page.socket(), 'a', sequence);
};

test('a paste tells how far it has come, by what the server has written', () => {
  const page = attachedPage();
  page.screen('a').paste('x'.repeat(10 * INPUT_CHUNK));
  expect(progressOf(page)).toEqual({ total: 10 * INPUT_CHUNK, written: 0 });
  ack(page.socket(), 'a', 3);
  expect(progressOf(page)).toEqual({ total: 10 * INPUT_CHUNK, written: 3 * INPUT_CHUNK });
  page.screen('a').type('typed');
  page.screen('a').paste('y'.repeat(INPUT_CHUNK));
  expect(progressOf(page)).toEqual({ total: 11 * INPUT_CHUNK, written: 3 * INPUT_CHUNK });
  ackAll(page);
  expect(progressOf(page)).toBeUndefined();
  expect(textOf(page.socket(), 1)).toBe(`${'x'.repeat(10 * INPUT_CHUNK)}typed${'y'.repeat(INPUT_CHUNK)}`);
});

test('a cancelled paste ends where it was, is closed for the program, and keys behind it go through', () => {
  const page = attachedPage();
  page.screen('a').paste('x'.repeat(100 * INPUT_CHUNK), '<end>');
  page.screen('a').type('keys');
  page.actions.cancelPaste(sessionNamed('a') as never);
  expect(progressOf(page)).toBeUndefined();
  ackAll(page);
  expect(textOf(page.socket(), 1)).toBe(`${'x'.repeat(INPUT_WINDOW)}<end>keys`);
  expect(progressOf(page)).toBeUndefined();
  expect(page.notices()).toEqual([expect.stringContaining('The paste into a was cancelled; 1.5 MiB')]);
});

test('a paste that has not begun leaves no trace when it is cancelled', () => {
  const page = openPage();
  page.connect(sessionNamed('a'));
  page.screen('a').paste('x'.repeat(100), '<end>');
  page.actions.cancelPaste(sessionNamed('a') as never);
  page.screen('a').type('keys');
  page.attached('a', 1, 0, 0);
  expect(textOf(page.socket(), 1)).toBe('keys');
});

test('of two pastes, cancelling closes only the one that has begun', () => {
  const page = attachedPage();
  page.screen('a').paste('x'.repeat(2 * INPUT_WINDOW), '<end>');
  page.screen('a').paste('y'.repeat(2 * INPUT_WINDOW), '<end>');
  page.actions.cancelPaste(sessionNamed('a') as never);
  ackAll(page);
  expect(textOf(page.socket(), 1)).toBe(`${'x'.repeat(INPUT_WINDOW)}<end>`);
});

test('cancelled too late, a paste is whole', () => {
  const page = attachedPage();
  page.screen('a').paste('short', '<end>');
  page.actions.cancelPaste(sessionNamed('a') as never);
  ackAll(page);
  expect(textOf(page.socket(), 1)).toBe('short<end>');
  expect(page.notices()).toEqual([]);
});

test('a paste ends with the line and with the program', () => {
  const page = attachedPage();
  page.screen('a').paste('x'.repeat(10 * INPUT_WINDOW));
  page.socket().control({ type: 'terminal.exit', sessionId: 'a', exitCode: 0, offset: 0 });
  expect(progressOf(page)).toBeUndefined();
  page.screen('a').paste('x'.repeat(10 * INPUT_WINDOW));
  page.socket().drop();
  expect(progressOf(page)).toBeUndefined();
});

test('pasted text is typed with Return, and can not end its own brackets', () => {
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const plain = pastedBytes('a\r\nb\nc\x1b[201~', false);
  expect([text(plain.bytes), text(plain.closing)]).toEqual(['a\rb\rc\x1b[201~', '']);
  const bracketed = pastedBytes('a\x1b[201~rm -rf /\n', true);
  expect([text(bracketed.bytes), text(bracketed.closing)]).toEqual(['\x1b[200~a␛[201~rm -rf /\r\x1b[201~', '\x1b[201~']);
});
