/**
 * What the user typed, on its way to one session.
 *
 * At most `INPUT_WINDOW` bytes are with the server at a time; the rest waits
 * here, in order. So a large paste into a program that does not read never
 * fills the connection, and other sessions' input and all acks pass beside it.
 */

export const INPUT_WINDOW = 64 * 1024;
export const INPUT_CHUNK = 16 * 1024;

export class InputQueue {
  private readonly waiting: Uint8Array[] = [];
  private readonly inFlight: { sequence: number; bytes: number }[] = [];
  private inFlightBytes = 0;
  private lastSequence = 0;

  /** `send` puts one message on the wire. */
  constructor(private readonly send: (sequence: number, payload: Uint8Array) => void) {}

  push(bytes: Uint8Array): void {
    for (let start = 0; start < bytes.byteLength; start += INPUT_CHUNK) {
      this.waiting.push(bytes.subarray(start, start + INPUT_CHUNK));
    }
  }

  /** Sends as much as the window allows. */
  pump(): void {
    for (;;) {
      const next = this.waiting[0];
      if (!next || this.inFlightBytes + next.byteLength > INPUT_WINDOW) return;
      this.waiting.shift();
      const sequence = ++this.lastSequence;
      this.inFlight.push({ sequence, bytes: next.byteLength });
      this.inFlightBytes += next.byteLength;
      this.send(sequence, next);
    }
  }

  /** The server wrote everything up to and with `sequence`. */
  acknowledge(sequence: number): void {
    for (;;) {
      const first = this.inFlight[0];
      if (!first || first.sequence > sequence) return;
      this.inFlight.shift();
      this.inFlightBytes -= first.bytes;
    }
  }

  /** Forgets everything not acknowledged and says how many bytes that was. */
  drop(): number {
    const bytes = this.inFlightBytes + this.waiting.reduce((sum, chunk) => sum + chunk.byteLength, 0);
    this.waiting.length = 0;
    this.inFlight.length = 0;
    this.inFlightBytes = 0;
    return bytes;
  }

  /** A new attachment counts its input from 1 again. */
  restart(): void {
    this.lastSequence = 0;
  }
}
