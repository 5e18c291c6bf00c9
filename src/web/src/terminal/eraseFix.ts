/**
 * Works round a bug of xterm 6.0: "erase above" (`CSI 1 J`) with the cursor in
 * the last cell, before anything has scrolled, touches the row below the last
 * one, which is not there. It throws in the middle of parsing, and the terminal
 * never parses another byte. Without acks the server would then hold the
 * program back for good.
 *
 * In that one case all of the screen is above the cursor, so "erase all" does
 * what was asked. xterm offers no other way to it than its own handler.
 */

import type { Terminal } from '@xterm/xterm';

interface Internals {
  readonly _core?: { readonly _inputHandler?: { eraseInDisplay?(params: { params: number[] }, respectProtect: boolean): boolean } };
}

const ERASE_ABOVE = 1;
const ERASE_ALL = 2;

export function fixEraseAbove(terminal: Pick<Terminal, 'parser' | 'buffer' | 'cols'>): void {
  const handler = (respectProtect: boolean) => (params: (number | number[])[]) => {
    const buffer = terminal.buffer.active;
    const safe = buffer.cursorX < terminal.cols - 1 || buffer.getLine(buffer.cursorY + 1) !== undefined;
    if (params[0] !== ERASE_ABOVE || safe) return false;
    (terminal as Internals)._core?._inputHandler?.eraseInDisplay?.({ params: [ERASE_ALL] }, respectProtect);
    return true;
  };
  terminal.parser.registerCsiHandler({ final: 'J' }, handler(false));
  terminal.parser.registerCsiHandler({ prefix: '?', final: 'J' }, handler(true));
}
