/** What this page has seen happen to its sessions. */

import type { AppState } from './appState';

export interface SessionEvent {
  readonly unixMs: number;
  readonly kind: 'life' | 'warning' | 'cleaned';
  readonly text: string;
}

const KEPT = 200;

/** Of a session that is not known there is nothing to keep. */
export function withEvent(state: AppState, sessionId: string, event: SessionEvent): AppState {
  if (!state.sessions.some((session) => session.id === sessionId)) return state;
  return { ...state, events: { ...state.events, [sessionId]: [...(state.events[sessionId] ?? []), event].slice(-KEPT) } };
}
