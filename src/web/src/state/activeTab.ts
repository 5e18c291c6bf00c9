/** Remembers the tab on show over a reload of this browser tab. */

const KEY = 'quarterdeck.activeSession';

export function rememberActive(sessionId: string): void {
  try {
    sessionStorage.setItem(KEY, sessionId);
  } catch {
    // Storage can be switched off; the first tab is then shown after a reload.
  }
}

export function rememberedActive(): string | null {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}
