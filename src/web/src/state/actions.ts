/** What the user can do, apart from typing. Errors come back as `ApiError`. */

import * as api from '../net/api';
import type { Client } from '../net/client';
import { fetchOutput, saveFile } from '../net/download';
import { isRunning, type Session } from '../protocol/messages';
import { rememberActive } from './activeTab';
import { type AppState, withMove } from './appState';
import { withAlertDismissed } from './resources';
import type { Store } from './store';
import { rememberOrder } from './tabOrder';

export class Actions {
  constructor(
    private readonly store: Store<AppState>,
    private readonly client: Client,
  ) {}

  select(sessionId: string): void {
    this.store.update((state) => ({ ...state, activeId: sessionId }));
    rememberActive(sessionId);
  }

  /** Goes `step` tabs on, around the ends. */
  selectNeighbour(step: number): void {
    const { sessions, activeId } = this.store.get();
    const index = sessions.findIndex((session) => session.id === activeId);
    const next = sessions[(index + step + sessions.length) % sessions.length];
    if (next) this.select(next.id);
  }

  /** Goes to the tab at this place, if there is one. */
  selectAt(index: number): void {
    const session = this.store.get().sessions[index];
    if (session) this.select(session.id);
  }

  /** Puts a tab at another place, also for later visits. */
  move(sessionId: string, to: number): void {
    this.store.update((state) => withMove(state, sessionId, to));
    rememberOrder(this.store.get().order);
  }

  async create(spec: api.NewSession): Promise<void> {
    await this.client.streams.whileCreating(async () => {
      const session = await api.createSession(spec);
      // Selected first: the visible session gets the larger window.
      this.select(session.id);
      this.client.adopt(session);
    });
  }

  async destroy(session: Session, options: api.DestroyOptions = {}): Promise<void> {
    try {
      await api.destroySession(session.id, options);
    } catch (error) {
      // Somebody else was faster: what was asked for is so.
      if (!(error instanceof api.ApiError && error.code === 'NOT_FOUND')) throw error;
    }
    this.client.forget(session.id);
  }

  /** Says whether the program runs again; why not is told in a notice. */
  async resume(session: Session): Promise<boolean> {
    if (isRunning(session)) return true;
    try {
      this.client.adopt(await api.resumeSession(session.id));
      return true;
    } catch (error) {
      this.report(error);
      return false;
    }
  }

  cancelPaste(session: Session): void {
    this.client.streams.cancelPaste(session.id);
  }

  /** Saves what is kept of a session's output as a file. */
  async download(session: Session): Promise<void> {
    try {
      const { bytes, lost } = await fetchOutput(session.id);
      saveFile(`${session.name}.log`, bytes);
      if (lost > 0) {
        const amount = lost.toLocaleString('en');
        this.client.notices.notify('warning', `The output of ${session.name} grew faster than it could be fetched: ${amount} bytes in the middle of the file are missing.`);
      }
    } catch (error) {
      this.report(error);
    }
  }

  dismissAlert(): void {
    this.store.update(withAlertDismissed);
  }

  /** Finds out whether a new connection is to the server process of before. */
  async countRestarts(): Promise<void> {
    const health = await api.health().catch(() => null);
    if (health) this.client.restartsCounted(health.serverRestarts);
  }

  report(error: unknown): void {
    this.client.notices.notify('error', describeError(error));
  }

  /** Shows some words in full. */
  say(text: string): void {
    this.client.notices.notify('info', text);
  }

  retryNow(): void {
    this.client.wake();
  }

  dismiss(noticeId: number): void {
    this.client.notices.dismiss(noticeId);
  }
}

/** All the words of an error, in reading order. */
export function describeError(error: unknown): string {
  if (!(error instanceof api.ApiError)) return error instanceof Error ? error.message : String(error);
  return [error.message, error.details, error.suggestion]
    .filter((part) => typeof part === 'string' && part !== '')
    .map((part) => (/[.!?]$/.test(part as string) ? part : `${part as string}.`))
    .join(' ');
}
