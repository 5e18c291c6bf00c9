/**
 * What the user typed and pasted, on its way to one session.
 *
 * At most `INPUT_WINDOW` bytes are with the server at a time; the rest waits
 * here, in order. So a large paste into a program that does not read never
 * fills the connection, and other sessions' input and all acks pass beside it.
 */

export const INPUT_WINDOW = 64 * 1024;
export const INPUT_CHUNK = 16 * 1024;

/** How far the pastes under way have come, together. */
export interface PasteProgress {
  readonly total: number;
  /** Taken by the program's terminal. */
  readonly written: number;
}

interface Chunk {
  readonly bytes: Uint8Array;
  readonly paste?: {
    /** Nothing of this paste goes before this chunk. */
    readonly first: boolean;
    /** Tells the program that the paste is over, if it has seen the beginning. */
    readonly closing: Uint8Array;
  };
}

export class InputQueue {
  private waiting: Chunk[] = [];
  private readonly inFlight: { readonly sequence: number; readonly bytes: number; pasted: boolean }[] = [];
  private inFlightBytes = 0;
  private lastSequence = 0;
  private progress: PasteProgress | null = null;

  /** `send` puts one message on the wire. */
  constructor(private readonly send: (sequence: number, payload: Uint8Array) => void) {}

  /** Null while nothing pasted is under way. */
  get pasting(): PasteProgress | null {
    return this.progress;
  }

  push(bytes: Uint8Array): void {
    for (const part of chunksOf(bytes)) this.waiting.push({ bytes: part });
  }

  /** As `push`, but can be cancelled; `bytes` end with `closing`. */
  paste(bytes: Uint8Array, closing: Uint8Array): void {
    if (bytes.byteLength === 0) return;
    chunksOf(bytes).forEach((part, index) => this.waiting.push({ bytes: part, paste: { first: index === 0, closing } }));
    const { total, written } = this.progress ?? { total: 0, written: 0 };
    this.progress = { total: total + bytes.byteLength, written };
  }

  /** Gives up what was pasted and has not been sent; what was typed behind it stays. Returns how many bytes that was. */
  cancelPaste(): number {
    const cut = this.waiting.find((chunk) => chunk.paste);
    let given = 0;
    const left: Chunk[] = [];
    for (const chunk of this.waiting) {
      if (!chunk.paste) left.push(chunk);
      else given += chunk.bytes.byteLength;
      // A program that waits for the end of a paste would take all later keys for a part of it.
      if (chunk === cut && chunk.paste && !chunk.paste.first && chunk.paste.closing.byteLength > 0) left.push({ bytes: chunk.paste.closing });
    }
    this.waiting = left;
    // What is with the server can't be called back; there is nothing more to tell of it.
    this.progress = null;
    for (const sent of this.inFlight) sent.pasted = false;
    return given;
  }

  /** Sends as much as the window allows. */
  pump(): void {
    for (;;) {
      const next = this.waiting[0];
      if (!next || this.inFlightBytes + next.bytes.byteLength > INPUT_WINDOW) return;
      this.waiting.shift();
      const sequence = ++this.lastSequence;
      this.inFlight.push({ sequence, bytes: next.bytes.byteLength, pasted: next.paste !== undefined });
      this.inFlightBytes += next.bytes.byteLength;
      this.send(sequence, next.bytes);
    }
  }

  /** The server wrote everything up to and with `sequence`. */
  acknowledge(sequence: number): void {
    for (;;) {
      const first = this.inFlight[0];
      if (!first || first.sequence > sequence) return;
      this.inFlight.shift();
      this.inFlightBytes -= first.bytes;
      if (first.pasted) this.advance(first.bytes);
    }
  }

  /** Forgets everything not acknowledged and says how many bytes that was. */
  drop(): number {
    const bytes = this.inFlightBytes + this.waiting.reduce((sum, chunk) => sum + chunk.bytes.byteLength, 0);
    this.waiting = [];
    this.inFlight.length = 0;
    this.inFlightBytes = 0;
    this.progress = null;
    return bytes;
  }

  /** A new attachment counts its input from 1 again. */
  restart(): void {
    this.lastSequence = 0;
  }

  private advance(bytes: number): void {
    if (!this.progress) return;
    const { total, written } = this.progress;
    this.progress = written + bytes < total ? { total, written: written + bytes } : null;
  }
}

function chunksOf(bytes: Uint8Array): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let start = 0; start < bytes.byteLength; start += INPUT_CHUNK) chunks.push(bytes.subarray(start, start + INPUT_CHUNK));
  return chunks;
}
