/** Turns samples into the paths of the small memory graph: time to the right, percent upwards. */

import type { HistoryPoint } from './resources';

export const GRAPH_WIDTH = 120;
export const GRAPH_HEIGHT = 100;
/** A pause longer than this is a hole, not a straight line. */
const HOLE_MS = 15_000;

export interface GraphPaths {
  readonly line: string;
  readonly area: string;
}

export function graphPaths(history: readonly HistoryPoint[], spanMs: number): GraphPaths {
  const end = history.at(-1)?.unixMs ?? 0;
  const step = spanMs / GRAPH_WIDTH;
  const pieces = splitAtHoles(highestPerStep(history, step), Math.max(HOLE_MS, 2 * step));
  let line = '';
  let area = '';
  for (const piece of pieces) {
    const at = piece.map(({ unixMs, percent }) => {
      const x = GRAPH_WIDTH - (end - unixMs) / step;
      return [round(x), round(GRAPH_HEIGHT - Math.min(100, Math.max(0, percent)))] as const;
    });
    const path = at.map(([x, y]) => `${x} ${y}`).join('L');
    line += `M${path}`;
    area += `M${at[0]?.[0]} ${GRAPH_HEIGHT}L${path}L${at.at(-1)?.[0]} ${GRAPH_HEIGHT}Z`;
  }
  return { line, area };
}

/** One point for each step, at its highest: a short peak is what one looks for. */
function highestPerStep(history: readonly HistoryPoint[], step: number): HistoryPoint[] {
  const result: HistoryPoint[] = [];
  let slot = NaN;
  for (const point of history) {
    const of = Math.floor(point.unixMs / step);
    const last = result.at(-1);
    if (of !== slot || !last) result.push(point);
    else result[result.length - 1] = { unixMs: point.unixMs, percent: Math.max(last.percent, point.percent) };
    slot = of;
  }
  return result;
}

function splitAtHoles(points: readonly HistoryPoint[], hole: number): HistoryPoint[][] {
  const pieces: HistoryPoint[][] = [];
  let before = -Infinity;
  for (const point of points) {
    const piece = pieces.at(-1);
    if (!piece || point.unixMs - before > hole) pieces.push([point]);
    else piece.push(point);
    before = point.unixMs;
  }
  return pieces;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
