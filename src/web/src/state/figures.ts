/** What sessions used over time, as far as this page has asked. */

import { isRunning, type Session } from '../protocol/messages';
import type { AppState } from './appState';

export interface FigurePoint {
  readonly unixMs: number;
  readonly memoryBytes: number | null;
  readonly cpuPercent: number | null;
}

/** An hour of answers every 3 s. */
const KEPT = 1_200;

/** Adds a reading of all sessions; those that are gone are forgotten. */
export function withFigurePoints(state: AppState, fresh: readonly Session[], unixMs: number): AppState {
  const figures: Record<string, readonly FigurePoint[]> = {};
  for (const session of fresh) {
    const { memoryBytes = null, cpuPercent = null } = isRunning(session) ? session : {};
    figures[session.id] = [...(state.figures[session.id] ?? []), { unixMs, memoryBytes, cpuPercent }].slice(-KEPT);
  }
  return { ...state, figures };
}

/** The highest of the known values; null when none is. */
export function highest(values: readonly (number | null)[]): number | null {
  return values.reduce<number | null>((most, value) => (value === null || (most !== null && most >= value) ? most : value), null);
}
