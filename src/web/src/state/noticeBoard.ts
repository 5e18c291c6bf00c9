/** What is said in a corner of the page, and for how long. */

import { type AppState, type Notice, withNotice, withoutNotice } from './appState';
import type { Store } from './store';

const SHOWN_MS = 8_000;

export class NoticeBoard {
  private last = 0;

  constructor(private readonly store: Store<AppState>) {}

  /** Errors stay until they are dismissed. */
  notify(kind: Notice['kind'], text: string): void {
    const id = ++this.last;
    this.store.update((state) => withNotice(state, { id, kind, text }));
    if (kind !== 'error') setTimeout(() => this.dismiss(id), SHOWN_MS);
  }

  dismiss(id: number): void {
    this.store.update((state) => withoutNotice(state, id));
  }
}
