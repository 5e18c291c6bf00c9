/** Which sessions a person should look at first. */

import { isRunning, type ResourceState, type Session } from '../protocol/messages';

export type Attention = 'waiting' | 'stuck';

export function attentionOf(session: Session): Attention | null {
  if (!isRunning(session)) return null;
  if (session.status === 'waiting' || session.needsInput) return 'waiting';
  return session.isStuck ? 'stuck' : null;
}

/** Most in need of a person first; among equals the order stays, so that rows do not dance. */
export function byNeed(sessions: readonly Session[]): Session[] {
  return [...sessions].sort((a, b) => rank(a) - rank(b));
}

function rank(session: Session): number {
  const need = attentionOf(session);
  if (need) return need === 'waiting' ? 0 : 1;
  return 2 + ['error', 'active', 'waiting', 'idle', 'stopped'].indexOf(session.status);
}

/** Milliseconds since anything happened in a session; null where that is not known. */
export function quietFor(session: Session, resource: ResourceState | null): number | null {
  return ageOf(session.lastActivity, resource);
}

/** Milliseconds since a moment that the server has told, by the server's own clock. */
export function ageOf(time: string | undefined, resource: ResourceState | null): number | null {
  if (!resource || time === undefined) return null;
  return Math.max(0, Date.parse(resource.sampledAt) - Date.parse(time));
}
