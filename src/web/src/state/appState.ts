/** What the page shows, and the pure steps that change it. */

import type { ConnectionPhase } from '../net/connection';
import type { PasteProgress } from '../net/inputQueue';
import type { ResourceState, Session } from '../protocol/messages';
import type { SessionEvent } from './events';
import type { FigurePoint } from './figures';
import { initialLogin, type LoginState } from './login';
import { type HistoryPoint, type MemoryAlert, withKnownFigures } from './resources';
import type { Upkeep } from './upkeep';

export interface Notice {
  readonly id: number;
  readonly kind: 'info' | 'warning' | 'error';
  readonly text: string;
}

export interface AppState {
  readonly login: LoginState;
  readonly connection: ConnectionPhase;
  /** False until the first list has come: before it, "no sessions" would be a guess. */
  readonly listed: boolean;
  /** In the user's order, then oldest first. */
  readonly sessions: readonly Session[];
  /** Ids of sessions as the user has arranged them. */
  readonly order: readonly string[];
  readonly activeId: string | null;
  readonly resource: ResourceState | null;
  /** What the banner says; null while memory is at its normal level. */
  readonly alert: MemoryAlert | null;
  /** Memory of the last ten minutes, oldest first. */
  readonly history: readonly HistoryPoint[];
  /** What the server did by itself lately. */
  readonly upkeep: Upkeep;
  readonly notices: readonly Notice[];
  /** What sessions used over time, oldest first. */
  readonly figures: Readonly<Record<string, readonly FigurePoint[]>>;
  readonly events: Readonly<Record<string, readonly SessionEvent[]>>;
  /** Ids of sessions with news that the user has not looked at. */
  readonly unseen: readonly string[];
  /** Ids of sessions on show here in a size that another browser gave them. */
  readonly foreignSizes: readonly string[];
  /** Pastes under way, by session. */
  readonly pastes: Readonly<Record<string, PasteProgress>>;
}

export const initialState: AppState = {
  login: initialLogin,
  connection: 'connecting',
  listed: false,
  sessions: [],
  order: [],
  activeId: null,
  resource: null,
  alert: null,
  history: [],
  upkeep: {},
  notices: [],
  figures: {},
  events: {},
  unseen: [],
  foreignSizes: [],
  pastes: {},
};

/** Whether there was a connection that is gone. Each attempt to make it anew is still that, so that nothing flickers. */
export function isConnectionLost({ connection, listed }: AppState): boolean {
  return connection === 'waiting' || (connection === 'connecting' && listed);
}

export function withList(state: AppState, sessions: readonly Session[]): AppState {
  const known = new Map(state.sessions.map((session) => [session.id, session]));
  const fresh = sessions.map((session) => withKnownFigures(session, known.get(session.id)));
  return withValidActive({ ...state, listed: true, sessions: arranged(fresh, state.order) });
}

/** Adds a session or replaces what is known of it. */
export function withSession(state: AppState, session: Session): AppState {
  const others = state.sessions.filter((known) => known.id !== session.id);
  const fresh = withKnownFigures(session, state.sessions.find((known) => known.id === session.id));
  return withValidActive({ ...state, sessions: arranged([...others, fresh], state.order) });
}

export function withChange(state: AppState, id: string, change: Partial<Session>): AppState {
  if (!state.sessions.some((session) => session.id === id)) return state;
  return { ...state, sessions: state.sessions.map((session) => (session.id === id ? { ...session, ...change } : session)) };
}

export function withoutSession(state: AppState, id: string): AppState {
  const index = state.sessions.findIndex((session) => session.id === id);
  if (index < 0) return state;
  const sessions = state.sessions.filter((session) => session.id !== id);
  const { [id]: _gone, ...events } = state.events;
  if (state.activeId !== id) return { ...state, sessions, events };
  // Like a browser: the right neighbour takes the place, else the left one.
  return { ...state, sessions, events, activeId: (sessions[index] ?? sessions[index - 1])?.id ?? null };
}

/** Puts a session at another place among the others. */
export function withMove(state: AppState, id: string, to: number): AppState {
  const others = state.sessions.filter((session) => session.id !== id);
  const session = state.sessions.find((known) => known.id === id);
  if (!session) return state;
  const sessions = [...others.slice(0, Math.max(0, to)), session, ...others.slice(Math.max(0, to))];
  return { ...state, sessions, order: sessions.map((known) => known.id) };
}

export function nameOf({ sessions }: AppState, id: string): string {
  return sessions.find((session) => session.id === id)?.name ?? 'a session';
}

export function withNotice(state: AppState, notice: Notice): AppState {
  const others = state.notices.filter((known) => known.text !== notice.text);
  return { ...state, notices: [...others, notice].slice(-4) };
}

export function withoutNotice(state: AppState, id: number): AppState {
  return { ...state, notices: state.notices.filter((notice) => notice.id !== id) };
}

export function withForeignSize(state: AppState, id: string, foreign: boolean): AppState {
  if (state.foreignSizes.includes(id) === foreign) return state;
  const others = state.foreignSizes.filter((known) => known !== id);
  return { ...state, foreignSizes: foreign ? [...others, id] : others };
}

/** A paste has come further, or there is none any more. Steps too small to be seen change nothing. */
export function withPaste(state: AppState, id: string, progress: PasteProgress | null): AppState {
  const { [id]: known, ...others } = state.pastes;
  if (!progress) return known ? { ...state, pastes: others } : state;
  const percent = ({ written, total }: PasteProgress) => Math.floor((written / total) * 100);
  if (known && known.total === progress.total && percent(known) === percent(progress)) return state;
  return { ...state, pastes: { ...others, [id]: progress } };
}

function withValidActive(state: AppState): AppState {
  if (state.sessions.some((session) => session.id === state.activeId)) return state;
  return { ...state, activeId: state.sessions[0]?.id ?? null };
}

/** What the user has not arranged yet comes last, oldest first. */
function arranged(sessions: readonly Session[], order: readonly string[]): readonly Session[] {
  const place = (session: Session) => (order.includes(session.id) ? order.indexOf(session.id) : order.length);
  return [...sessions].sort((a, b) => place(a) - place(b) || a.createdAt.localeCompare(b.createdAt) || a.name.localeCompare(b.name));
}
