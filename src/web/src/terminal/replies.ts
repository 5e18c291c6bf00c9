/**
 * Keeps a terminal from answering questions that are history.
 *
 * Programs ask their terminal things (its kind, the cursor's place, colours)
 * and the emulator types the answer. On a replay the same questions come
 * again, their askers are long gone, and the answers would be typed into
 * whatever reads now. So while history is parsed the questions are taken out
 * in the parser, before xterm sees them. Why there, and not by looking at what
 * comes out of `onData`: the parser knows exactly which byte it is at, and an
 * answer can look like a key (Shift+F3 and a cursor report at row 1 are both
 * `CSI 1;2R`). What the user types meanwhile never passes the parser and is
 * sent as ever.
 *
 * The list is complete for the pinned xterm: a test offers its parser every
 * control sequence there is and expects silence. Window reports (`CSI t`) are
 * switched off in xterm's own options.
 */

import type { IFunctionIdentifier, Terminal } from '@xterm/xterm';

const CSI_QUESTIONS: readonly IFunctionIdentifier[] = [
  { final: 'c' },
  { prefix: '>', final: 'c' },
  { prefix: '=', final: 'c' },
  { final: 'n' },
  { prefix: '?', final: 'n' },
  { intermediates: '$', final: 'p' },
  { prefix: '?', intermediates: '$', final: 'p' },
];

/** Palette, foreground, background and cursor colour: a question when the value is `?`. */
const OSC_COLOURS = [4, 10, 11, 12];

/** Asked for by turning focus reporting on, and sent at once: not a question by its form. */
const FOCUS_REPORTS = new Set(['\x1b[I', '\x1b[O']);

export function muteHistory(terminal: Pick<Terminal, 'parser'>, mute: () => boolean): void {
  for (const id of CSI_QUESTIONS) terminal.parser.registerCsiHandler(id, mute);
  terminal.parser.registerDcsHandler({ intermediates: '$', final: 'q' }, mute);
  for (const id of OSC_COLOURS) {
    terminal.parser.registerOscHandler(id, (data) => mute() && data.split(';').includes('?'));
  }
}

/** No key sends these, so while history is parsed they are answers. */
export function isFocusReport(data: string): boolean {
  return FOCUS_REPORTS.has(data);
}
