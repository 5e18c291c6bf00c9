import { useEffect } from 'react';

export interface Shortcuts {
  search(): void;
  copy(): void;
  /** Larger (1) or smaller (-1) letters in the terminals; 0 is the size they had at first. */
  fontStep(step: number): void;
  nextTab(): void;
  previousTab(): void;
  focusTabs(): void;
  /** Goes to the controls below the terminal, the one that resumes an ended session first. */
  focusBars(): void;
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
  const step = fontStepOf(event);
  if (step !== null && ctrlKey !== metaKey && !altKey && isInTerminal(event.target)) return (shortcuts) => shortcuts.fontStep(step);
  if (metaKey) return null;
  if (ctrlKey && shiftKey && !altKey) {
    if (code === 'KeyF') return (shortcuts) => shortcuts.search();
    if (code === 'KeyC') return (shortcuts) => shortcuts.copy();
    if (code === 'ArrowUp') return (shortcuts) => shortcuts.focusTabs();
    if (code === 'ArrowDown') return (shortcuts) => shortcuts.focusBars();
  }
  if (altKey && !ctrlKey && !shiftKey) {
    if (code === 'PageDown') return (shortcuts) => shortcuts.nextTab();
    if (code === 'PageUp') return (shortcuts) => shortcuts.previousTab();
  }
  return null;
}

/** By what the key means, not where it is: layouts differ. Ctrl+Shift+minus is a key of editors and shells. */
function fontStepOf({ key, shiftKey }: KeyboardEvent): number | null {
  if (key === '+') return 1;
  if (shiftKey) return null;
  return { '=': 1, '-': -1, '0': 0 }[key] ?? null;
}

/** Elsewhere these keys are the browser's own, for the size of the whole page. */
function isInTerminal(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest('[role=tabpanel]') !== null;
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
