import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { DrawRate } from '../src/terminal/drawRate';

/** A frame of the display. */
const FRAME_MS = 16;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function renderer({ unlimited = false, viewportY = 50 } = {}) {
  let drawn: () => void = () => {};
  const refreshed: [number, number][] = [];
  const rate = new DrawRate(
    {
      rows: 24,
      buffer: { active: { baseY: 50, viewportY } } as never,
      onRender: (listener) => {
        drawn = () => listener({ start: 0, end: 23 });
        return { dispose: () => {} };
      },
    },
    () => unlimited,
  );
  const debouncer = {
    refresh(start: number, end: number) {
      refreshed.push([start, end]);
      drawn();
    },
  };
  const service = { _renderDebouncer: debouncer, refreshRows: (start: number, end: number) => service._renderDebouncer.refresh(start, end) };
  rate.limit(service as never);
  return { rate, service, refreshed, refresh: (start: number, end: number) => (debouncer.refresh as (...all: number[]) => void)(start, end, 24) };
}

/** Output in each of so many frames. */
function flood(refresh: (start: number, end: number) => void, frames: number): void {
  for (let frame = 0; frame < frames; frame++) {
    refresh(0, 23);
    vi.advanceTimersByTime(FRAME_MS);
  }
}

test('a flood is drawn about half as often, and its end is not left out', () => {
  const { refreshed, refresh } = renderer();
  flood(refresh, 60);
  expect(refreshed.length).toBeGreaterThan(20);
  expect(refreshed.length).toBeLessThan(42);
  const before = refreshed.length;
  refresh(3, 3);
  refresh(4, 4);
  vi.advanceTimersByTime(100);
  expect(refreshed.length).toBeGreaterThan(before);
  expect(refreshed.at(-1)).toEqual([0, 23]);
});

test('what comes after a pause is drawn at once, and only its rows', () => {
  const { refreshed, refresh } = renderer();
  for (let key = 0; key < 5; key++) {
    refresh(7, 7);
    vi.advanceTimersByTime(30);
  }
  expect(refreshed).toEqual(Array(5).fill([7, 7]));
});

test('all is drawn where drawing is cheap, and in the scrollback', () => {
  for (const free of [{ unlimited: true }, { viewportY: 10 }]) {
    const { refreshed, refresh } = renderer(free);
    flood(refresh, 60);
    expect(refreshed.length).toBe(60);
  }
});

test('a terminal that comes on show is drawn at once', () => {
  const { rate, refreshed, refresh } = renderer();
  refresh(0, 23);
  rate.allow();
  refresh(0, 23);
  expect(refreshed.length).toBe(2);
});
