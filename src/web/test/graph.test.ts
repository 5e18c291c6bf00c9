import { expect, test } from 'vitest';
import { formatAge, formatBytes, formatPercent } from '../src/state/format';
import { graphPaths } from '../src/state/graph';

const SPAN = 600_000;
const at = (seconds: number, percent: number) => ({ unixMs: seconds * 1_000, percent });

test('the newest sample is at the right edge, percent grows upwards', () => {
  expect(graphPaths([at(0, 0), at(5, 100), at(10, 25)], SPAN)).toEqual({ line: 'M118 100L119 0L120 75', area: 'M118 100L118 100L119 0L120 75L120 100Z' });
});

test('of one step the highest is kept, so that a peak is seen', () => {
  expect(graphPaths([at(0, 10), at(1, 90), at(2, 20)], SPAN).line).toBe('M120 10');
});

test('a pause is a hole', () => {
  expect(graphPaths([at(0, 10), at(5, 20), at(60, 30), at(65, 40)], SPAN).line).toBe('M107 90L108 80M119 70L120 60');
});

test('nothing known is an empty path', () => {
  expect(graphPaths([], SPAN)).toEqual({ line: '', area: '' });
});

test.each([
  [null, '–'],
  [0, '0 B'],
  [999, '999 B'],
  [1_000, '1.0 KiB'],
  [160 * 2 ** 20, '160 MiB'],
  [1_020 * 2 ** 20, '1.0 GiB'],
  [1.5 * 2 ** 30, '1.5 GiB'],
  [5_000 * 2 ** 40, '5000 TiB'],
])('%s bytes are %s', (bytes, words) => {
  expect(formatBytes(bytes)).toBe(words);
});

test.each([
  [null, '–'],
  [9_999, 'now'],
  [59_000, '59 s'],
  [61_000, '1 min'],
  [7_300_000, '2 h'],
  [200_000_000, '2 d'],
])('%s ms ago is %s', (ms, words) => {
  expect(formatAge(ms)).toBe(words);
});

test('percent are rounded', () => {
  expect([formatPercent(undefined), formatPercent(0.4), formatPercent(199.5)]).toEqual(['–', '0 %', '200 %']);
});
