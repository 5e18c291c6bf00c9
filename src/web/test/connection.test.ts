import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { backoff, Connection, type ConnectionPhase } from '../src/net/connection';
import { FakeSocket } from './support/fakeSocket';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function setUp() {
  const sockets: FakeSocket[] = [];
  const phases: ConnectionPhase[] = [];
  const open = () => {
    const socket = new FakeSocket();
    sockets.push(socket);
    return socket;
  };
  const events = { phase: (phase: ConnectionPhase) => void phases.push(phase), text: vi.fn(), binary: vi.fn(), refused: vi.fn() };
  const connection = new Connection(open, events, () => 1);
  connection.connect();
  return { connection, sockets, phases, events, last: () => sockets[sockets.length - 1]! };
}

test('the wait doubles up to a ceiling, and at least half of it is kept', () => {
  expect([0, 1, 2, 9].map((attempt) => backoff(attempt, () => 1))).toEqual([250, 500, 1000, 10_000]);
  expect(backoff(0, () => 0)).toBe(125);
  expect(backoff(100_000, () => 1)).toBe(10_000);
});

test('a lost line is made again after the wait, not before', () => {
  const { sockets, last, phases } = setUp();
  last().open();
  last().drop();
  vi.advanceTimersByTime(249);
  expect(sockets).toHaveLength(1);
  vi.advanceTimersByTime(1);
  expect(sockets).toHaveLength(2);
  last().open();
  expect(phases).toEqual(['connecting', 'open', 'waiting', 'connecting', 'open']);
});

test('a success resets the back-off', () => {
  const { sockets, last } = setUp();
  last().drop();
  vi.advanceTimersByTime(250);
  last().drop();
  vi.advanceTimersByTime(500);
  last().open();
  last().drop();
  vi.advanceTimersByTime(250);
  expect(sockets).toHaveLength(4);
});

test('waking does not sit out the back-off', () => {
  const { connection, sockets, last } = setUp();
  last().drop();
  connection.wake();
  expect(sockets).toHaveLength(2);
  // The timer that was running must not make a third.
  vi.advanceTimersByTime(5_000);
  expect(sockets).toHaveLength(2);
});

test('a line that died in sleep is found out soon after waking', () => {
  const { connection, sockets, last } = setUp();
  last().open();
  connection.wake();
  expect(last().controls()).toMatchObject([{ type: 'heartbeat' }]);
  vi.advanceTimersByTime(4_000 + 250);
  expect(sockets[0]?.closed).toBe(true);
  expect(sockets).toHaveLength(2);
});

test('silence after a heartbeat is a lost line, any message is an answer', () => {
  const { sockets, last } = setUp();
  last().open();
  vi.advanceTimersByTime(15_000);
  last().message(JSON.stringify({ type: 'heartbeat', timestamp: 1 }));
  vi.advanceTimersByTime(15_000);
  last().message(new ArrayBuffer(16));
  vi.advanceTimersByTime(15_000);
  expect(sockets).toHaveLength(1);
  vi.advanceTimersByTime(15_000);
  expect(sockets[0]?.closed).toBe(true);
});

test('a socket that never opens is given up', () => {
  const { sockets } = setUp();
  vi.advanceTimersByTime(10_000);
  expect(sockets[0]?.closed).toBe(true);
  vi.advanceTimersByTime(250);
  expect(sockets).toHaveLength(2);
});

test('an abandoned socket can no longer speak', () => {
  const { sockets, events, last } = setUp();
  last().open();
  const old = last();
  old.drop();
  vi.advanceTimersByTime(250);
  last().open();
  old.message('{"type":"heartbeat"}');
  old.drop();
  expect(events.text).not.toHaveBeenCalled();
  vi.advanceTimersByTime(5_000);
  expect(sockets).toHaveLength(2);
});
