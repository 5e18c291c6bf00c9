/** All terminals by session. They live here, outside React, from first sight to destruction. */

import type { ScreenHooks, ScreenHost } from '../net/client';
import { Screen } from './screen';

export class Screens implements ScreenHost {
  private readonly screens = new Map<string, Screen>();

  create(sessionId: string, hooks: ScreenHooks): Screen {
    const screen = new Screen(hooks);
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

  fit(sessionId: string): void {
    this.screens.get(sessionId)?.fit();
  }

  ids(): string[] {
    return [...this.screens.keys()];
  }
}
