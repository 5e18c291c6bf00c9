import { useEffect } from 'react';

export interface Shortcuts {
  search(): void;
  copy(): void;
  nextTab(): void;
  previousTab(): void;
  focusTabs(): void;
  /** The tab at this place, from 0. */
  tabAt(index: number): void;
}

/**
 * Keys that work wherever the focus is, the terminal included. They are taken
 * before xterm sees them, so they are ones that programs hardly use.
 */
export function shortcutFor(event: KeyboardEvent): ((shortcuts: Shortcuts) => void) | null {
  const { code, ctrlKey, shiftKey, altKey, metaKey } = event;
  // As browsers have it for their own tabs: Ctrl, on Apple's keyboards Cmd.
  const digit = /^(?:Digit|Numpad)([1-9])$/.exec(code)?.[1];
  if (digit && ctrlKey !== metaKey && !shiftKey && !altKey) return (shortcuts) => shortcuts.tabAt(Number(digit) - 1);
  if (metaKey) return null;
  if (ctrlKey && shiftKey && !altKey) {
    if (code === 'KeyF') return (shortcuts) => shortcuts.search();
    if (code === 'KeyC') return (shortcuts) => shortcuts.copy();
    if (code === 'ArrowUp') return (shortcuts) => shortcuts.focusTabs();
  }
  if (altKey && !ctrlKey && !shiftKey) {
    if (code === 'PageDown') return (shortcuts) => shortcuts.nextTab();
    if (code === 'PageUp') return (shortcuts) => shortcuts.previousTab();
  }
  return null;
}

export function useShortcuts(shortcuts: Shortcuts): void {
  useEffect(() => {
    const listener = (event: KeyboardEvent) => {
      const run = shortcutFor(event);
      // A dialog has the keyboard to itself.
      if (!run || document.querySelector('dialog[open]')) return;
      event.preventDefault();
      event.stopPropagation();
      run(shortcuts);
    };
    window.addEventListener('keydown', listener, { capture: true });
    return () => window.removeEventListener('keydown', listener, { capture: true });
  }, [shortcuts]);
}
