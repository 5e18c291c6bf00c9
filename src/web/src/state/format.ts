/** Figures in words, short enough for a line of a list. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** What stands where a figure is not known. */
export const UNKNOWN = '–';

export function formatBytes(bytes: number | null | undefined): string {
  if (bytes === null || bytes === undefined) return UNKNOWN;
  let value = bytes;
  let unit = 0;
  // From 1000 on the next unit is shorter to read.
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || value >= 10 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

export function formatPercent(percent: number | null | undefined): string {
  return percent === null || percent === undefined ? UNKNOWN : `${Math.round(percent)} %`;
}

/** How long ago, in the largest unit; the last seconds are one, so that it does not flicker. */
export function formatAge(ms: number | null): string {
  if (ms === null) return UNKNOWN;
  const seconds = Math.floor(ms / 1_000);
  if (seconds < 10) return 'now';
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}
