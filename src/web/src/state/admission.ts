/** Whether a new session would be taken, as far as the page knows. The server decides on a fresh reading. */

import type { AppState } from './appState';

export const CRITICAL_TOOLTIP = 'Memory critical - cannot create new sessions';

export function isMemoryCritical({ resource }: AppState): boolean {
  return resource?.memoryLevel === 'critical';
}

/** The sentence for a page that is full; null while there is room. */
export function limitReached({ sessions, resource }: AppState): string | null {
  if (!resource || sessions.length < resource.maxSessions) return null;
  return `Maximum ${resource.maxSessions} sessions supported. Destroy a session to create a new one.`;
}
