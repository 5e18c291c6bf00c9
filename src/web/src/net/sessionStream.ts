/**
 * One session's bytes, both ways, across any number of connections.
 *
 *   detached --attach()--> attaching --session.attached--> attached
 *      ^                       |                              |
 *      +------------------- lineLost() ----------------------+
 *
 * Three offsets into the session's output carry everything:
 *   acked <= parsed <= expected
 * `expected` is the next byte to come from the server, `parsed` is how far the
 * terminal has really worked, `acked` is what the server was told of that. A
 * new connection attaches at `expected`: bytes in between are already in the
 * terminal's own queue, so nothing is lost and nothing comes twice.
 */

import type { Attached, ClientMessage, Gap } from '../protocol/messages';
import { InputQueue, type PasteProgress } from './inputQueue';

/** In-flight output the server may have beyond our acks. */
export const WINDOW_VISIBLE = 256 * 1024;
export const WINDOW_HIDDEN = 64 * 1024;

const ACK_DELAY_MS = 16;

/** Where output goes. `done` is called when the terminal has parsed what was given. */
export interface StreamSink {
  write(bytes: Uint8Array, done: () => void): void;
  /** `bytes` bytes no longer exist; shown in place, in order with the writes. */
  skipped(bytes: number, done: () => void): void;
  /** The session has this size. */
  resize(cols: number, rows: number): void;
  /** What was asked of the server and not answered will not be. */
  detached(): void;
  /** Empties the terminal: the stream starts over. */
  reset(): void;
}

export interface StreamWire {
  control(message: ClientMessage): void;
  input(channel: number, sequence: number, payload: Uint8Array): void;
  /** A paste has come further, or there is none any more. */
  pasting(progress: PasteProgress | null): void;
}

export type InputRefusal = 'offline' | 'notRunning';

export class SessionStream {
  private phase: 'detached' | 'attaching' | 'attached' = 'detached';
  private channel = -1;
  private expected = 0;
  private parsed = 0;
  private acked = 0;
  /** Nothing was ever attached: the oldest byte there is will be asked for. */
  fresh = true;
  /** Output below this was produced before this client joined. */
  private replayEnd = 0;
  private window = WINDOW_VISIBLE;
  private ackTimer: ReturnType<typeof setTimeout> | undefined;
  /** Raised by every reset, so that late `done` calls of the old stream are ignored. */
  private epoch = 0;
  private readonly queue: InputQueue;
  /** Whether the session has a process that reads; set by the session's status. */
  running = true;

  constructor(
    readonly sessionId: string,
    private readonly sink: StreamSink,
    private readonly wire: StreamWire,
  ) {
    this.queue = new InputQueue((sequence, payload) => wire.input(this.channel, sequence, payload));
  }

  /** True while the terminal works through history; see `terminal/replies.ts`. */
  get replaying(): boolean {
    return this.parsed < this.replayEnd;
  }

  attach(visible: boolean): void {
    if (this.phase !== 'detached') return;
    this.phase = 'attaching';
    this.window = visible ? WINDOW_VISIBLE : WINDOW_HIDDEN;
    const offset = this.fresh ? 'oldest' : this.expected;
    this.wire.control({ type: 'session.attach', sessionId: this.sessionId, offset, window: this.window });
  }

  attached(message: Attached): void {
    if (message.head < this.expected) this.startOver(message.offset);
    this.phase = 'attached';
    this.channel = message.channel;
    this.fresh = false;
    this.replayEnd = message.head;
    this.acked = message.offset;
    this.queue.restart();
    this.sink.resize(message.cols, message.rows);
    // Without a terminal.gap of its own, as after "oldest": say what is gone.
    this.skipTo(message.offset);
    this.queue.pump();
  }

  /**
   * The server refused to attach. An offset beyond its output (the end of it
   * was lost with the container) is worth one more try from the oldest byte.
   */
  attachRefused(code: string): 'retry' | 'failed' | 'unrelated' {
    if (this.phase !== 'attaching') return 'unrelated';
    this.phase = 'detached';
    if (this.fresh || code !== 'OFFSET_OUT_OF_RANGE') return 'failed';
    this.startOver(0);
    this.fresh = true;
    return 'retry';
  }

  /** The output may not go on where it was left: it is asked for anew, from the oldest byte. Only while detached. */
  distrust(): void {
    if (this.fresh) return;
    this.startOver(0);
    this.fresh = true;
  }

  output(offset: number, payload: Uint8Array): void {
    const end = offset + payload.byteLength;
    if (end <= this.expected) return;
    this.skipTo(offset);
    const bytes = payload.subarray(this.expected - offset);
    // Cut where history ends, so that `replaying` changes on the exact byte.
    const history = Math.max(0, Math.min(bytes.byteLength, this.replayEnd - this.expected));
    if (history > 0) this.write(bytes.subarray(0, history));
    if (history < bytes.byteLength) this.write(bytes.subarray(history));
  }

  gap(message: Gap): void {
    this.skipTo(message.to);
  }

  /** Somebody set the session's size. */
  resized(cols: number, rows: number): void {
    this.sink.resize(cols, rows);
  }

  /** Queues typed bytes, or says why they can't be taken. */
  type(bytes: Uint8Array): InputRefusal | null {
    return this.enqueue(() => this.queue.push(bytes));
  }

  /** As `type`; `bytes` end with `closing`, which also ends a paste that is cancelled. */
  paste(bytes: Uint8Array, closing: Uint8Array): InputRefusal | null {
    return this.enqueue(() => this.queue.paste(bytes, closing));
  }

  /** Returns how many bytes are given up. */
  cancelPaste(): number {
    const given = this.queue.cancelPaste();
    if (this.phase === 'attached') this.queue.pump();
    this.wire.pasting(this.queue.pasting);
    return given;
  }

  inputAck(sequence: number): void {
    this.queue.acknowledge(sequence);
    if (this.phase === 'attached') this.queue.pump();
    this.wire.pasting(this.queue.pasting);
  }

  /** The program ended: what it did not read has no reader any more. */
  exited(): void {
    this.dropInput();
  }

  /**
   * The connection broke. Input without an ack may or may not have reached the
   * program, so it is not sent again, and what was queued behind it would make
   * no sense alone. Returns how many bytes are given up.
   */
  lineLost(): number {
    this.phase = 'detached';
    this.channel = -1;
    clearTimeout(this.ackTimer);
    this.ackTimer = undefined;
    this.sink.detached();
    return this.dropInput();
  }

  dispose(): void {
    this.epoch++;
    this.lineLost();
  }

  private enqueue(push: () => void): InputRefusal | null {
    if (!this.running) return 'notRunning';
    if (this.phase === 'detached') return 'offline';
    push();
    if (this.phase === 'attached') this.queue.pump();
    this.wire.pasting(this.queue.pasting);
    return null;
  }

  private dropInput(): number {
    const bytes = this.queue.drop();
    this.wire.pasting(null);
    return bytes;
  }

  private startOver(offset: number): void {
    this.epoch++;
    this.expected = this.parsed = this.acked = offset;
    this.replayEnd = 0;
    this.sink.reset();
  }

  private skipTo(offset: number): void {
    if (offset <= this.expected) return;
    const skipped = offset - this.expected;
    this.expected = offset;
    this.sink.skipped(skipped, this.doneAt(offset));
  }

  private write(bytes: Uint8Array): void {
    this.expected += bytes.byteLength;
    this.sink.write(bytes, this.doneAt(this.expected));
  }

  private doneAt(offset: number): () => void {
    const epoch = this.epoch;
    return () => {
      if (epoch !== this.epoch) return;
      this.parsed = offset;
      this.scheduleAck();
    };
  }

  private scheduleAck(): void {
    if (this.phase !== 'attached') return;
    // A quarter of the window keeps the server sending without a pause; what
    // is less waits a frame, so that a flood of small chunks is one message.
    if (this.parsed - this.acked >= this.window / 4) this.ack();
    else this.ackTimer ??= setTimeout(() => this.ack(), ACK_DELAY_MS);
  }

  private ack(): void {
    clearTimeout(this.ackTimer);
    this.ackTimer = undefined;
    if (this.phase !== 'attached' || this.parsed <= this.acked) return;
    this.acked = this.parsed;
    this.wire.control({ type: 'terminal.ack', sessionId: this.sessionId, offset: this.parsed });
  }
}
