/** The output of one terminal on its way to its parser, in order. */

/** About half a millisecond of parsing. */
export const PIECE_BYTES = 4 * 1024;

/** Takes a piece of output; tells when it is parsed, perhaps at once. */
export type Parse = (data: Uint8Array | string, parsed: () => void) => void;

interface Write {
  readonly data: Uint8Array | string;
  readonly done: () => void;
}

export class Feed {
  /** Whether the user looks at the terminal. */
  onShow = false;
  waitingBytes = 0;
  private readonly waiting: Write[] = [];
  /** What of the first write the parser has. */
  private given = 0;
  private parsing = false;

  /** `fed` is called when there is something to do. */
  constructor(
    private readonly parse: Parse,
    private readonly fed: () => void,
  ) {}

  get ready(): boolean {
    return this.waiting.length > 0 && !this.parsing;
  }

  /** `done` is called when all of it is parsed. */
  write(data: Uint8Array | string, done: () => void): void {
    this.waiting.push({ data, done });
    this.waitingBytes += data.length;
    this.fed();
  }

  /** Gives the next piece to the parser. */
  step(): void {
    const write = this.waiting[0];
    if (!write) return;
    const { data, done } = write;
    const end = Math.min(this.given + PIECE_BYTES, data.length);
    const piece = typeof data === 'string' ? data.slice(this.given, end) : data.subarray(this.given, end);
    const last = end === data.length;
    this.given = last ? 0 : end;
    this.waitingBytes -= piece.length;
    if (last) this.waiting.shift();
    this.parsing = true;
    this.parse(piece, () => {
      this.parsing = false;
      if (last) done();
      if (this.ready) this.fed();
    });
  }

  clear(): void {
    this.waiting.length = 0;
    this.waitingBytes = 0;
  }
}
