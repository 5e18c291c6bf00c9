/** What streams and terminals want of each other. */

import type { StreamSink } from './sessionStream';

/** What a terminal needs from the stream it shows. */
export interface ScreenHooks {
  input(bytes: Uint8Array): void;
  paste(pasted: { bytes: Uint8Array; closing: Uint8Array }): void;
  /** Whether this page may set the size at all. */
  mayResize(): boolean;
  /** Asks for a size; says whether that was possible. */
  resized(cols: number, rows: number): boolean;
  /** Whether the terminal has a size that is not that of its room. */
  foreignSize(foreign: boolean): void;
  /** Whether what the terminal would answer by itself is wanted by nobody. */
  mute(): boolean;
}

/** The terminals, as far as the streams care. */
export interface ScreenHost {
  create(sessionId: string, hooks: ScreenHooks): StreamSink;
  remove(sessionId: string): void;
  /** The session is attached: a visible terminal may now set the size, `alone` without a sign of the user. */
  attached(sessionId: string, alone: boolean): void;
  /** The session takes a size again. */
  fit(sessionId: string): void;
}
