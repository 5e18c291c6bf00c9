/**
 * `window.__quarterdeck`, for browser tests and for looking into a page:
 * what the terminals hold can't be read from a canvas. Reads only.
 */

import type { App } from './app';

export interface DebugHook {
  /** Ids of the sessions that have a terminal. */
  sessions(): string[];
  /** A session's scrollback and screen, wrapped lines joined; null when unknown. */
  text(sessionId: string): string | null;
  /** Columns and rows of a session's terminal. */
  size(sessionId: string): { cols: number; rows: number } | null;
}

declare global {
  interface Window {
    __quarterdeck?: DebugHook;
  }
}

export function installDebugHook({ screens }: App): void {
  window.__quarterdeck = {
    sessions: () => screens.ids(),
    text: (sessionId) => screens.get(sessionId)?.text() ?? null,
    size: (sessionId) => {
      const terminal = screens.get(sessionId)?.terminal;
      return terminal ? { cols: terminal.cols, rows: terminal.rows } : null;
    },
  };
}
