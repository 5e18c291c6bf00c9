/** Turns text from the clipboard into what is typed. */

import type { Terminal } from '@xterm/xterm';

export interface Pasted {
  readonly bytes: Uint8Array;
  /** What ends it for a program that has asked to be told of pastes; `bytes` end with it. */
  readonly closing: Uint8Array;
}

const OPENING = '\x1b[200~';
const CLOSING = '\x1b[201~';

export function pastedBytes(text: string, bracketed: boolean): Pasted {
  const encoder = new TextEncoder();
  // The key for a new line is Return, whatever a file has.
  const typed = text.replace(/\r?\n/g, '\r');
  if (!bracketed) return { bytes: encoder.encode(typed), closing: new Uint8Array() };
  // An end of the paste within it would let the rest pass for keys: a command that runs by itself.
  const harmless = typed.replaceAll('\x1b', '␛');
  return { bytes: encoder.encode(OPENING + harmless + CLOSING), closing: encoder.encode(CLOSING) };
}

/**
 * Takes pastes before xterm does: it would also leave the text in its hidden
 * field, where some megabytes of it make every later key slow.
 */
export function takePastes(element: HTMLElement, terminal: Terminal, paste: (pasted: Pasted) => void): void {
  const listener = (event: ClipboardEvent) => {
    if (!event.clipboardData) return;
    event.preventDefault();
    event.stopPropagation();
    const text = event.clipboardData.getData('text/plain');
    if (text === '') return;
    // As for a key: back to the newest output, and the selection goes.
    terminal.input('', true);
    paste(pastedBytes(text, terminal.modes.bracketedPasteMode));
  };
  element.addEventListener('paste', listener, { capture: true });
}
