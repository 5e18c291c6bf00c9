/** What the server did by itself: processes it swept, and that it was started again. Shown for a while, then gone. */

import type { AppState } from './appState';
import type { Store } from './store';

export interface Upkeep {
  /** Processes that outlived their session and were ended, and the last of them in words. */
  readonly sweep?: { readonly count: number; readonly last: string };
  /** The API server is another process than before. */
  readonly restart?: { readonly count: number };
}

const SHOWN_MS = 30_000;

export class UpkeepWatch {
  private restarts: number | null = null;
  private readonly timers: Partial<Record<keyof Upkeep, ReturnType<typeof setTimeout>>> = {};

  constructor(private readonly store: Store<AppState>) {}

  cleaned({ pid, command, reason }: { pid: number; command: string; reason: string }): void {
    // One sweep often finds several; they are told as one.
    const count = (this.store.get().upkeep.sweep?.count ?? 0) + 1;
    this.show({ sweep: { count, last: `Process ${pid} (${command}) was ended: ${reason}.` } });
  }

  restartsCounted(count: number): void {
    const more = this.restarts === null ? 0 : count - this.restarts;
    this.restarts = count;
    if (more > 0) this.show({ restart: { count: more + (this.store.get().upkeep.restart?.count ?? 0) } });
  }

  private show(news: Upkeep): void {
    this.store.update((state) => ({ ...state, upkeep: { ...state.upkeep, ...news } }));
    for (const kind of Object.keys(news) as (keyof Upkeep)[]) {
      clearTimeout(this.timers[kind]);
      this.timers[kind] = setTimeout(() => this.hide(kind), SHOWN_MS);
    }
  }

  private hide(kind: keyof Upkeep): void {
    this.store.update((state) => {
      const { [kind]: _gone, ...upkeep } = state.upkeep;
      return { ...state, upkeep };
    });
  }
}
