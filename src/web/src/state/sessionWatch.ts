/**
 * Tells what becomes of sessions, by comparing what the page knows of them
 * before and after each change: by whatever message it comes, also after a
 * break of the connection, each change is told once.
 */

import { isRunning, type Session } from '../protocol/messages';
import type { AppState } from './appState';
import { attentionOf } from './attention';
import { endingWithTime, pastTense } from './ending';
import { withEvent } from './events';
import type { Store } from './store';

export interface SessionNews {
  readonly session: Session;
  readonly kind: 'created' | 'started' | 'ended' | 'waiting';
  /** A sentence without the session's name. */
  readonly text: string;
}

export function watchSessions(store: Store<AppState>, tell: (news: SessionNews) => void): void {
  let before = store.get();
  store.subscribe(() => {
    const after = store.get();
    if (after.sessions === before.sessions) return;
    const news = before.listed ? newsBetween(before.sessions, after.sessions) : [];
    before = after;
    for (const each of news) tell(each);
  });
}

export function newsBetween(before: readonly Session[], after: readonly Session[]): SessionNews[] {
  const known = new Map(before.map((session) => [session.id, session]));
  return after.flatMap((session) => newsOf(known.get(session.id), session) ?? []);
}

function newsOf(before: Session | undefined, session: Session): SessionNews | null {
  if (!before) return { session, kind: 'created', text: 'It was created.' };
  if (isRunning(before) && !isRunning(session)) return { session, kind: 'ended', text: `Its program ${pastTense(endingWithTime(session))}.` };
  if (!isRunning(before) && isRunning(session)) return { session, kind: 'started', text: 'Its program was started again.' };
  if (attentionOf(session) === 'waiting' && needOf(session) !== needOf(before)) return { session, kind: 'waiting', text: waitingText(session) };
  return null;
}

/** What a session needs a person for; null while it needs nobody. */
function needOf(session: Session): string | null {
  return attentionOf(session) === 'waiting' ? (session.needsInputMessage ?? '') : null;
}

function waitingText({ needsInputMessage }: Session): string {
  return needsInputMessage ? `It waits for you: ${needsInputMessage}` : 'It waits for you.';
}

/** Keeps the news among the session's events. */
export function keepNews(store: Store<AppState>, { session, text }: SessionNews): void {
  store.update((state) => withEvent(state, session.id, { unixMs: Date.now(), kind: 'life', text }));
}
