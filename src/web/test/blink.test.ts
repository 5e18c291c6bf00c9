import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Blink } from '../src/terminal/blink';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function cursor() {
  let dark = false;
  const blink = new Blink({
    setProperty: () => void (dark = true),
    removeProperty: () => {
      dark = false;
      return '';
    },
  });
  return { blink, isDark: () => dark };
}

test('it is there for half a second and gone for half a second', () => {
  const { blink, isDark } = cursor();
  blink.start();
  const seen = [isDark()];
  for (let step = 0; step < 4; step++) {
    vi.advanceTimersByTime(500);
    seen.push(isDark());
  }
  expect(seen).toEqual([false, true, false, true, false]);
});

test('who types sees it all the time', () => {
  const { blink, isDark } = cursor();
  blink.start();
  vi.advanceTimersByTime(600);
  expect(isDark()).toBe(true);
  for (let key = 0; key < 10; key++) {
    blink.start();
    expect(isDark()).toBe(false);
    vi.advanceTimersByTime(400);
    expect(isDark()).toBe(false);
  }
});

test('when it stops it is there', () => {
  const { blink, isDark } = cursor();
  blink.start();
  vi.advanceTimersByTime(600);
  blink.stop();
  expect(isDark()).toBe(false);
  vi.advanceTimersByTime(5_000);
  expect(isDark()).toBe(false);
});
