/**
 * Tells people who look elsewhere that a session ended or needs them: a
 * notification of the browser, and a count in the title. Never with a sound.
 */

import type { AppState } from './appState';
import type { SessionNews } from './sessionWatch';
import type { Settings } from './settings';
import type { Store } from './store';

export class DesktopNotices {
  constructor(
    private readonly store: Store<AppState>,
    private readonly settings: Store<Settings>,
    private readonly select: (sessionId: string) => void,
  ) {
    const look = () => this.looked();
    store.subscribe(look);
    window.addEventListener('focus', look);
    settings.subscribe(() => {
      if (!settings.get().notify) store.update((state) => (state.unseen.length === 0 ? state : { ...state, unseen: [] }));
    });
  }

  tell({ session, kind, text }: SessionNews): void {
    if (!this.settings.get().notify || (kind !== 'ended' && kind !== 'waiting')) return;
    // Who stopped it, or the container, knows.
    if (/^stopped (on request|with the container)/.test(session.exitReason ?? '') || this.isSeen(session.id)) return;
    this.store.update((state) => ({ ...state, unseen: [...state.unseen.filter((id) => id !== session.id), session.id] }));
    if (!document.hasFocus()) this.notify(session.id, session.name, text);
  }

  private notify(sessionId: string, title: string, body: string): void {
    if (typeof Notification === 'undefined' || Notification.permission !== 'granted') return;
    try {
      const notification = new Notification(title, { body, tag: `quarterdeck-${sessionId}`, silent: true });
      notification.onclick = () => {
        window.focus();
        this.select(sessionId);
        notification.close();
      };
    } catch {
      // Android's browsers allow this to service workers alone; the title still counts.
    }
  }

  private isSeen(sessionId: string): boolean {
    return document.hasFocus() && this.store.get().activeId === sessionId;
  }

  private looked(): void {
    const { unseen, activeId } = this.store.get();
    if (activeId === null || !unseen.includes(activeId) || !this.isSeen(activeId)) return;
    this.store.update((state) => ({ ...state, unseen: state.unseen.filter((id) => id !== activeId) }));
  }
}

/** Asks the user, through the browser; says in words why not, or null when notices may come. */
export async function askForNotices(): Promise<string | null> {
  if (typeof Notification === 'undefined') return 'This browser has no notifications here; they need https or this very computer.';
  const permission = Notification.permission === 'default' ? await Notification.requestPermission() : Notification.permission;
  if (permission === 'granted') return null;
  return 'The browser does not allow notifications of this page. Allow them in its settings for this site, then switch this on again.';
}
