import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Size, Sizing } from '../src/terminal/sizing';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const size = (cols: number, rows = 24): Size => ({ cols, rows });

/** One browser's terminal, with a room that the test sets. */
function browser(room: Size | undefined) {
  const screen = { room, shown: undefined as Size | undefined, foreign: false, asked: [] as Size[], takes: true, looksOnly: false };
  const sizing = new Sizing({
    room: () => screen.room,
    adapt: (shown, foreign) => Object.assign(screen, { shown, foreign }),
    mayAsk: () => !screen.looksOnly,
    ask: (wanted) => {
      if (screen.takes) screen.asked.push(wanted);
      return screen.takes;
    },
  });
  return { sizing, screen };
}

function owner(room: Size) {
  const page = browser(room);
  page.sizing.told(size(80));
  page.sizing.claim();
  vi.advanceTimersByTime(100);
  page.sizing.told(room);
  return page;
}

test('without the user a terminal has the size of its session, whatever its room', () => {
  const { sizing, screen } = browser(size(120));
  sizing.told(size(80));
  screen.room = size(130);
  sizing.refit();
  vi.advanceTimersByTime(1_000);
  expect(screen).toMatchObject({ shown: size(80), foreign: true, asked: [] });
});

test('with the user it fills its room at once and asks when that has come to rest', () => {
  const { sizing, screen } = browser(size(120));
  sizing.told(size(80));
  sizing.claim();
  screen.room = size(121);
  sizing.refit();
  expect(screen).toMatchObject({ shown: size(121), foreign: false, asked: [] });
  vi.advanceTimersByTime(100);
  expect(screen.asked).toEqual([size(121)]);
});

test('a size that nobody here asked for is somebody else’s, and the room no longer counts', () => {
  const { sizing, screen } = owner(size(120));
  sizing.told(size(90));
  expect(screen).toMatchObject({ shown: size(90), foreign: true });
  screen.room = size(100);
  sizing.refit();
  vi.advanceTimersByTime(1_000);
  expect(screen).toMatchObject({ shown: size(90), foreign: true, asked: [size(120)] });
  sizing.claim();
  vi.advanceTimersByTime(100);
  expect(screen).toMatchObject({ shown: size(100), foreign: false, asked: [size(120), size(100)] });
});

test('late answers to own questions take nothing away', () => {
  const { sizing, screen } = owner(size(120));
  for (const cols of [121, 122]) {
    screen.room = size(cols);
    sizing.refit();
    vi.advanceTimersByTime(100);
  }
  sizing.told(size(121));
  expect(screen).toMatchObject({ shown: size(122), foreign: false });
  sizing.told(size(122));
  expect(screen).toMatchObject({ shown: size(122), foreign: false });
});

test('back to the size of before while the answer is under way, it is asked for again', () => {
  const { sizing, screen } = owner(size(120));
  for (const cols of [121, 120]) {
    screen.room = size(cols);
    sizing.refit();
    vi.advanceTimersByTime(100);
  }
  expect(screen.asked).toEqual([size(120), size(121), size(120)]);
});

test('a session that takes no size is asked again when it does', () => {
  const { sizing, screen } = owner(size(120));
  screen.takes = false;
  screen.room = size(100);
  sizing.refit();
  vi.advanceTimersByTime(100);
  expect(screen).toMatchObject({ shown: size(100), foreign: false, asked: [size(120)] });
  screen.takes = true;
  sizing.refit();
  vi.advanceTimersByTime(100);
  expect(screen.asked).toEqual([size(120), size(100)]);
});

test('hidden, it follows its session and asks for nothing', () => {
  const { sizing, screen } = owner(size(120));
  screen.room = undefined;
  sizing.told(size(70));
  sizing.refit();
  vi.advanceTimersByTime(1_000);
  expect(screen).toMatchObject({ shown: size(70), foreign: false, asked: [size(120)] });
});

test('two browsers do not fight: the one that claimed last has it', () => {
  const pages = [owner(size(120)), browser(size(90))] as const;
  const [first, second] = pages;
  let told = 0;
  second.sizing.told(size(120));
  const settle = () => {
    for (let round = 0; round < 10; round++) {
      vi.advanceTimersByTime(100);
      for (const { screen } of pages) {
        for (const asked of screen.asked.splice(0)) {
          told++;
          for (const { sizing } of pages) sizing.told(asked);
        }
      }
    }
  };
  first.screen.asked.length = 0;
  second.sizing.claim();
  settle();
  expect(told).toBe(1);
  expect([first.screen.foreign, second.screen.foreign]).toEqual([true, false]);
  first.sizing.claim();
  settle();
  expect(told).toBe(2);
  expect([first.screen, second.screen]).toMatchObject([{ shown: size(120), foreign: false }, { shown: size(120), foreign: true }]);
});

test('who may only look sees the session in its size, also with the keyboard in it', () => {
  const { sizing, screen } = browser(size(120));
  screen.looksOnly = true;
  sizing.told(size(120));
  sizing.claim();
  screen.room = size(130);
  sizing.refit();
  expect(screen).toMatchObject({ shown: size(120), foreign: true });
  sizing.told(size(80));
  sizing.claim();
  vi.advanceTimersByTime(1_000);
  expect(screen).toMatchObject({ shown: size(80), foreign: true, asked: [] });
});
