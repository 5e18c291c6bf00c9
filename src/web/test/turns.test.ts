import { beforeEach, expect, test } from 'vitest';
import { PIECE_BYTES } from '../src/terminal/feed';
import { Turns } from '../src/terminal/turns';

/** Parsing a piece takes this long. */
const PIECE_MS = 1;

let now: number;
let soon: (() => void)[];
let frames: (() => void)[];
let alarms: { at: number; run: () => void }[];
let inputPending: boolean;
let turns: Turns;
/** Which terminal parsed how many bytes, in order. */
let parsed: [string, number][];

beforeEach(() => {
  now = 1_000;
  soon = [];
  frames = [];
  alarms = [];
  inputPending = false;
  parsed = [];
  turns = new Turns({
    now: () => now,
    soon: (run) => void soon.push(run),
    after: (delayMs, run) => void alarms.push({ at: now + delayMs, run }),
    afterFrame: (run) => void frames.push(run),
    inputPending: () => inputPending,
  });
});

function terminal(name: string, onShow = false) {
  const feed = turns.open((data, done) => {
    parsed.push([name, data.length]);
    now += PIECE_MS;
    done();
  });
  feed.onShow = onShow;
  return feed;
}

const flood = (pieces: number) => new Uint8Array(pieces * PIECE_BYTES);
const nothing = () => {};
const names = () => parsed.map(([name]) => name);

/** Runs what was put off until now. */
function runSoon(): void {
  for (const run of soon.splice(0)) run();
}

/** Runs everything there is to do, without the clock going on by itself. */
function runAll(): void {
  while (soon.length > 0) runSoon();
}

function passTo(time: number): void {
  now = time;
  const due = alarms.filter(({ at }) => at <= time);
  alarms = alarms.filter(({ at }) => at > time);
  for (const { run } of due) run();
}

test('output is parsed in pieces and in order, and is done when its last piece is', () => {
  const feed = terminal('a');
  const done: string[] = [];
  feed.write(new Uint8Array(PIECE_BYTES + 10), () => done.push('first'));
  feed.write('x', () => done.push('second'));
  expect(parsed).toEqual([]);
  runAll();
  expect(parsed).toEqual([['a', PIECE_BYTES], ['a', 10], ['a', 1]]);
  expect(done).toEqual(['first', 'second']);
});

test('a turn ends after a few milliseconds, and the next one goes on', () => {
  terminal('a').write(flood(20), nothing);
  runSoon();
  const first = parsed.length;
  expect(first).toBeLessThan(8);
  runSoon();
  expect(parsed.length).toBeGreaterThan(first);
  runAll();
  expect(parsed.length).toBe(20);
});

test('a turn ends when input waits', () => {
  terminal('a').write(flood(20), nothing);
  inputPending = true;
  runSoon();
  expect(parsed.length).toBe(1);
});

test('the terminal on show gets every second piece, the hidden ones share the rest', () => {
  for (const [name, onShow] of [['one', false], ['shown', true], ['two', false]] as const) terminal(name, onShow).write(flood(20), nothing);
  while (parsed.length < 12) runSoon();
  expect(names().slice(0, 8)).toEqual(['shown', 'one', 'shown', 'two', 'shown', 'one', 'shown', 'two']);
});

test('a little output for a quiet terminal on show waits for nobody, however many others flood', () => {
  terminal('hidden').write(flood(20), nothing);
  const shown = terminal('shown', true);
  shown.write('echo', nothing);
  expect(names()).toEqual(['shown']);
  shown.write(flood(2), nothing);
  shown.write('behind it', nothing);
  expect(names()).toEqual(['shown']);
});

test('hidden terminals rest for a moment after a sign of the user, the one on show does not', () => {
  terminal('hidden').write(flood(2), nothing);
  terminal('shown', true).write(flood(2), nothing);
  turns.userIsActive();
  const begin = now;
  runAll();
  expect(names()).toEqual(['shown', 'shown']);
  const rest = alarms[0]!.at - begin;
  expect(rest).toBeGreaterThanOrEqual(30);
  expect(rest).toBeLessThan(100);
  passTo(begin + rest);
  runAll();
  expect(names()).toEqual(['shown', 'shown', 'hidden', 'hidden']);
});

test('a key that is held down does not stop hidden terminals for good', () => {
  terminal('hidden').write(flood(1000), nothing);
  runSoon();
  const before = parsed.length;
  for (let key = 0; key < 20; key++) {
    turns.userIsActive();
    runSoon();
    passTo(now + 30);
    runSoon();
  }
  expect(parsed.length).toBeGreaterThan(before);
  expect(parsed.length).toBeLessThan(before + 60);
});

test('nothing is parsed between a switch and its first frame', () => {
  terminal('hidden').write(flood(2), nothing);
  const shown = terminal('shown', true);
  turns.holdUntilDrawn();
  shown.write('echo', nothing);
  runAll();
  expect(parsed).toEqual([]);
  for (const drawn of frames.splice(0)) drawn();
  runAll();
  expect(names().sort()).toEqual(['hidden', 'hidden', 'shown']);
});

test('a parser that takes its time gets nothing more until it is done, and the others go on', () => {
  let finish = nothing;
  const given: number[] = [];
  const slow = turns.open((data, done) => {
    given.push(data.length);
    finish = done;
  });
  slow.write(flood(2), nothing);
  terminal('other').write(flood(2), nothing);
  runAll();
  expect(given.length).toBe(1);
  expect(names()).toEqual(['other', 'other']);
  finish();
  runAll();
  expect(given.length).toBe(2);
});

test('a parser that throws does not stop the others', () => {
  const broken = turns.open(() => {
    throw new Error('broken');
  });
  broken.write('x', nothing);
  terminal('other').write(flood(2), nothing);
  expect(runSoon).toThrow('broken');
  runAll();
  expect(names()).toEqual(['other', 'other']);
});

test('a closed terminal is given nothing more', () => {
  const feed = terminal('a');
  feed.write(flood(2), nothing);
  turns.close(feed);
  runAll();
  expect(parsed).toEqual([]);
});
