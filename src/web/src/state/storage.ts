/** What this browser keeps for later visits. Storage can be switched off or full; then nothing is kept, and that is all. */

export function remember(key: string, value: unknown): void {
  try {
    localStorage.setItem(`quarterdeck.${key}`, JSON.stringify(value));
  } catch {
    // See above.
  }
}

/** What was kept, whatever it is; null when nothing that can be read was. */
export function remembered(key: string): unknown {
  try {
    return JSON.parse(localStorage.getItem(`quarterdeck.${key}`) ?? 'null');
  } catch {
    return null;
  }
}
