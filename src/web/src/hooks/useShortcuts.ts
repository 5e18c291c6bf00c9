import { useEffect } from 'react';

export interface Shortcuts {
  search(): void;
  copy(): void;
  nextTab(): void;
  previousTab(): void;
  focusTabs(): void;
}

/**
 * Keys that work wherever the focus is, the terminal included. They are taken
 * before xterm sees them, so they are ones that programs hardly use.
 */
export function shortcutFor(event: KeyboardEvent): keyof Shortcuts | null {
  const { ctrlKey, shiftKey, altKey, metaKey } = event;
  if (metaKey) return null;
  if (ctrlKey && shiftKey && !altKey) {
    if (event.code === 'KeyF') return 'search';
    if (event.code === 'KeyC') return 'copy';
    if (event.code === 'ArrowUp') return 'focusTabs';
  }
  if (altKey && !ctrlKey && !shiftKey) {
    if (event.code === 'PageDown') return 'nextTab';
    if (event.code === 'PageUp') return 'previousTab';
  }
  return null;
}

export function useShortcuts(shortcuts: Shortcuts): void {
  useEffect(() => {
    const listener = (event: KeyboardEvent) => {
      const name = shortcutFor(event);
      // A dialog has the keyboard to itself.
      if (!name || document.querySelector('dialog[open]')) return;
      event.preventDefault();
      event.stopPropagation();
      shortcuts[name]();
    };
    window.addEventListener('keydown', listener, { capture: true });
    return () => window.removeEventListener('keydown', listener, { capture: true });
  }, [shortcuts]);
}
