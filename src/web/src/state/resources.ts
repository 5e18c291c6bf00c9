/** What the page knows of the container's memory and CPU, and the pure steps that change it. */

import { isRunning, type ResourceSample, type ResourceState, type ResourceWarning, type Session } from '../protocol/messages';
import type { AppState } from './appState';

/** What the banner says; there is none while memory is at its normal level. */
export interface MemoryAlert {
  readonly level: 'warning' | 'critical';
  readonly message: string;
  readonly details?: string;
  readonly dismissed: boolean;
}

export interface HistoryPoint {
  readonly unixMs: number;
  readonly percent: number;
}

export const HISTORY_SECONDS = 600;

/** The server's greeting: the level is told by it, as no warning will come for what has already happened. */
export function withGreeting(state: AppState, resource: ResourceState): AppState {
  const { memoryLevel: level } = resource;
  const next = { ...state, resource };
  if (level === 'normal') return { ...next, alert: null };
  // The same level as before the connection broke is no news.
  if (state.alert?.level === level) return next;
  return { ...next, alert: { level, message: alertText(level, resource.memoryUsagePercent), dismissed: false } };
}

/** The level changed. */
export function withWarning(state: AppState, warning: ResourceWarning): AppState {
  const { memoryLevel: level, memoryUsagePercent, isAcceptingNewSessions, message, details } = warning;
  const resource = state.resource && {
    ...state.resource,
    memoryLevel: level,
    memoryUsagePercent,
    // The news brings no amount; beside the new share the old one would be wrong.
    memoryUsedBytes: (state.resource.memoryLimitBytes * memoryUsagePercent) / 100,
    isAcceptingNewSessions,
  };
  if (level === 'normal') return { ...state, resource, alert: null };
  const dismissed = state.alert?.level === level && state.alert.dismissed;
  return { ...state, resource, alert: { level, message, dismissed, ...(details === undefined ? {} : { details }) } };
}

/**
 * A reading that was asked for while `told` was the alert. If the level has
 * been told anew since, the reading may be older than that news: it is dropped.
 */
export function withReading(state: AppState, resource: ResourceState, told: MemoryAlert | null): AppState {
  if (state.alert !== told) return state;
  const point = { unixMs: Date.parse(resource.sampledAt), percent: resource.memoryUsagePercent };
  return { ...state, resource, history: recent([...state.history, point]) };
}

/** Takes over what the server remembers. What only the page has seen stays: a new server process remembers nothing. */
export function withHistory(state: AppState, samples: readonly ResourceSample[]): AppState {
  const points = samples.map(({ time, memoryUsagePercent }) => ({ unixMs: Date.parse(time), percent: memoryUsagePercent }));
  const [oldest, newest] = [points[0], points.at(-1)];
  if (!oldest || !newest) return state;
  const before = state.history.filter((point) => point.unixMs < oldest.unixMs);
  const after = state.history.filter((point) => point.unixMs > newest.unixMs);
  return { ...state, history: recent([...before, ...points, ...after]) };
}

export function withAlertDismissed(state: AppState): AppState {
  return state.alert ? { ...state, alert: { ...state.alert, dismissed: true } } : state;
}

/** Takes over what changes all the time; everything else of a session comes with the messages. */
export function withFigures(state: AppState, fresh: readonly Session[]): AppState {
  const byId = new Map(fresh.map((session) => [session.id, session]));
  const sessions = state.sessions.map((session) => {
    const figures = byId.get(session.id);
    if (!figures) return session;
    const { memoryBytes = null, cpuPercent = null, processCount = null, oomKills = null } = figures;
    const { lastActivity = session.lastActivity } = figures;
    const change = { memoryBytes, cpuPercent, processCount, oomKills };
    return { ...session, ...change, ...(lastActivity === undefined ? {} : { lastActivity }) };
  });
  return { ...state, sessions };
}

/** Messages about a session may come without figures; those of a moment ago then stay until the next reading. */
export function withKnownFigures(session: Session, known: Session | undefined): Session {
  if (!known) return session;
  // The server forgets the start with the end; how long it ran is still to be told.
  if (!isRunning(session)) return known.startedAt ? { startedAt: known.startedAt, ...session } : session;
  const { memoryBytes = null, cpuPercent = null, processCount = null, oomKills = null } = known;
  return { memoryBytes, cpuPercent, processCount, oomKills, ...session };
}

/** The server's sentence, for those who come when it has been said. */
function alertText(level: MemoryAlert['level'], percent: number): string {
  const rounded = Math.round(percent);
  return level === 'warning'
    ? `High memory usage (${rounded}%). Consider closing idle sessions.`
    : `Memory critical (${rounded}%). Cannot create new sessions until memory is freed.`;
}

function recent(points: readonly HistoryPoint[]): readonly HistoryPoint[] {
  const from = (points.at(-1)?.unixMs ?? 0) - HISTORY_SECONDS * 1_000;
  return points.filter((point) => point.unixMs >= from);
}
