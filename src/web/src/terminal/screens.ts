/** All terminals by session. They live here, outside React, from first sight to destruction. */

import type { ScreenHooks, ScreenHost } from '../net/screenHost';
import type { Store } from '../state/store';
import { browserTurns } from './browserTurns';
import type { Look } from './look';
import { Screen } from './screen';

export class Screens implements ScreenHost {
  private readonly screens = new Map<string, Screen>();
  private readonly turns = browserTurns();

  constructor(private readonly look: Store<Look>) {
    look.subscribe(() => {
      for (const screen of this.screens.values()) screen.wear(look.get());
    });
  }

  create(sessionId: string, hooks: ScreenHooks): Screen {
    const screen = new Screen(hooks, this.look.get(), this.turns);
    this.screens.set(sessionId, screen);
    return screen;
  }

  get(sessionId: string): Screen | undefined {
    return this.screens.get(sessionId);
  }

  remove(sessionId: string): void {
    this.screens.get(sessionId)?.dispose();
    this.screens.delete(sessionId);
  }

  attached(sessionId: string, alone: boolean): void {
    this.screens.get(sessionId)?.arrive(alone);
  }

  fit(sessionId: string): void {
    this.screens.get(sessionId)?.fit();
  }

  ids(): string[] {
    return [...this.screens.keys()];
  }
}
