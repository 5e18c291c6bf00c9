// @vitest-environment happy-dom
import { act } from 'react';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Entrance } from '../src/components/Entrance';
import { splitFragment } from '../src/net/arrival';
import { Connection } from '../src/net/connection';
import { Gate } from '../src/net/gate';
import { initialLogin, type LoginState } from '../src/state/login';
import { FakeSocket } from './support/fakeSocket';
import { cleanUp, find, render, textOf, type } from './support/render';

let answers: { status: number; body: object }[];
let asked: { method: string; path: string; body: unknown }[];

beforeEach(() => {
  answers = [];
  asked = [];
  vi.stubGlobal('fetch', (path: string, init: { method: string; body?: string }) => {
    asked.push({ method: init.method, path, body: init.body === undefined ? undefined : JSON.parse(init.body) });
    const answer = answers.shift();
    if (!answer) return Promise.reject(new Error('no network'));
    return Promise.resolve(new Response(JSON.stringify(answer.body), { status: answer.status }));
  });
});
afterEach(() => {
  cleanUp();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const wrong = { status: 401, body: { error: { code: 'UNAUTHORIZED', message: 'This token is not the right one' } } };
const loggedIn = { status: 200, body: { loginRequired: true, loggedIn: true, readOnly: false } };
const loggedOut = { status: 200, body: { loginRequired: true, loggedIn: false } };

function openGate() {
  const states: LoginState[] = [];
  const events: string[] = [];
  const gate = new Gate({
    changed: (state) => void states.push(state),
    opened: () => void events.push('opened'),
    closed: () => void events.push('closed'),
    misplaced: () => void events.push('misplaced'),
  });
  return { gate, events, last: () => states[states.length - 1] };
}

test('the token is taken out of a fragment and the rest stays', () => {
  expect(splitFragment('#token=abc-_1')).toEqual({ token: 'abc-_1', rest: '' });
  expect(splitFragment('#a=1&token=a%2Bb%3D&b')).toEqual({ token: 'a+b=', rest: '#a=1&b' });
  expect(splitFragment('#token=%zz')).toEqual({ token: '%zz', rest: '' });
  expect(splitFragment('#token=')).toEqual({ token: '', rest: '' });
  expect(splitFragment('#tokens=1')).toEqual({ token: null, rest: '#tokens=1' });
  expect(splitFragment('')).toEqual({ token: null, rest: '' });
});

test('a token from the address is exchanged before anything connects', async () => {
  answers = [loggedIn];
  const { gate, events, last } = openGate();
  await gate.start('from-the-address');
  expect(asked).toEqual([{ method: 'POST', path: '/api/login', body: { token: 'from-the-address' } }]);
  expect(events).toEqual(['opened']);
  expect(last()?.phase).toBe('in');
});

test('without a login nothing connects, and the form is shown', async () => {
  answers = [loggedOut];
  const { gate, events, last } = openGate();
  await gate.start(null);
  expect(events).toEqual(['closed']);
  expect(last()).toMatchObject({ phase: 'needed', error: '' });
});

test('a server that does not answer is left to the connection', async () => {
  const { gate, events, last } = openGate();
  await gate.start(null);
  expect(events).toEqual(['opened']);
  await gate.refused('');
  expect(events).toEqual(['opened']);
  expect(last()?.phase).toBe('in');
});

test('a refusal for want of a login ends the trying, with the reason', async () => {
  answers = [loggedIn, loggedIn, loggedOut];
  const { gate, events, last } = openGate();
  await gate.start(null);
  await gate.refused('');
  expect(events).toEqual(['opened']);
  await gate.refused('the token was changed');
  expect(events).toEqual(['opened', 'closed']);
  expect(last()).toMatchObject({ phase: 'needed', error: 'You were logged out: the token was changed.' });
});

test('an address that the server takes no connection from is told', async () => {
  answers = [loggedIn, { status: 200, body: { ...loggedIn.body, socketAllowed: false } }];
  const { gate, events } = openGate();
  await gate.start(null);
  await gate.refused('');
  expect(events).toEqual(['opened', 'misplaced']);
});

test('a line that is held makes no attempt until it may', () => {
  vi.useFakeTimers();
  const sockets: FakeSocket[] = [];
  const refused = vi.fn();
  const open = () => {
    sockets.push(new FakeSocket());
    return sockets[sockets.length - 1]!;
  };
  const connection = new Connection(open, { phase: () => {}, text: () => {}, binary: () => {}, refused }, () => 1);
  connection.wake();
  expect(sockets).toHaveLength(0);
  connection.connect();
  sockets[0]?.drop();
  expect(refused).toHaveBeenCalledTimes(1);
  connection.hold();
  connection.wake();
  vi.advanceTimersByTime(60_000);
  expect(sockets).toHaveLength(1);
  connection.connect();
  sockets[1]?.open();
  sockets[1]?.drop();
  expect(refused).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(250);
  sockets[2]?.open();
  sockets[2]?.drop(1008, 'the token was revoked');
  expect(refused).toHaveBeenLastCalledWith('the token was revoked');
});

test('the form sends what was typed, says what is wrong and can be tried again', async () => {
  answers = [wrong, { status: 429, body: { error: { code: 'TOO_MANY_ATTEMPTS', message: 'Too many', suggestion: 'Wait 3 s.' } } }];
  const page = render(<Entrance />);
  act(() => page.store.update((state) => ({ ...state, login: { ...initialLogin, phase: 'needed' } })));
  const field = find('#login-token') as HTMLInputElement;
  const submit = () => act(async () => find('form').dispatchEvent(new Event('submit', { bubbles: true, cancelable: true })));
  await submit();
  expect(asked).toHaveLength(0);
  type(field, ' a-wrong-one ');
  await submit();
  expect(asked[0]?.body).toEqual({ token: 'a-wrong-one' });
  expect(textOf('[role=alert]')).toBe('This token is not the right one. Copy it once more, all of it.');
  expect(field.getAttribute('aria-invalid')).toBe('true');
  await submit();
  expect(textOf('[role=alert]')).toBe('Too many. Wait 3 s.');
});
