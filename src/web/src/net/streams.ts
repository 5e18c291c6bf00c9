/** One stream per session with its terminal, and which channel of the connection belongs to which. */

import { decodeFrame, encodeInput, FrameKind } from '../protocol/frame';
import { type ClientMessage, isRunning, type ServerMessage, type Session } from '../protocol/messages';
import { type AppState, nameOf, withChange, withForeignSize, withPaste } from '../state/appState';
import { formatBytes } from '../state/format';
import type { NoticeBoard } from '../state/noticeBoard';
import type { Store } from '../state/store';
import type { ScreenHost } from './screenHost';
import { type InputRefusal, SessionStream } from './sessionStream';

/** Sends if the line is up; says whether it did. */
type Send = (data: string | ArrayBuffer) => boolean;

export class Streams {
  private readonly streams = new Map<string, SessionStream>();
  private readonly channels = new Map<number, SessionStream>();
  /** Creations under way from this page. */
  private creating = 0;

  constructor(
    private readonly store: Store<AppState>,
    private readonly screens: ScreenHost,
    private readonly notices: NoticeBoard,
    private readonly send: Send,
  ) {}

  /**
   * Runs a creation. The news of the new session often comes before the answer
   * to the request, when nobody knows yet that it will be the visible one; so
   * unknown sessions are attached only when the answer is there.
   */
  async whileCreating<T>(create: () => Promise<T>): Promise<T> {
    this.creating++;
    try {
      return await create();
    } finally {
      this.creating--;
      for (const session of this.store.get().sessions) this.follow(session);
    }
  }

  ids(): string[] {
    return [...this.streams.keys()];
  }

  /** Sees to it that a session, new or changed, streams. */
  follow(session: Session): void {
    let stream = this.streams.get(session.id);
    if (!stream) {
      stream = this.open(session.id);
      this.streams.set(session.id, stream);
    }
    const wasRunning = stream.running;
    stream.running = isRunning(session);
    if (stream.running && !wasRunning) this.screens.fit(session.id);
    if (this.creating > 0 && stream.fresh) return;
    if (this.store.get().connection === 'open') stream.attach(this.isActive(session.id));
  }

  distrust(sessionId: string): void {
    this.streams.get(sessionId)?.distrust();
  }

  forget(sessionId: string): void {
    this.streams.get(sessionId)?.dispose();
    this.streams.delete(sessionId);
    for (const [channel, stream] of this.channels) {
      if (stream.sessionId === sessionId) this.channels.delete(channel);
    }
    this.screens.remove(sessionId);
  }

  /** The connection broke. */
  lineLost(): void {
    this.channels.clear();
    for (const [id, stream] of this.streams) {
      const bytes = stream.lineLost();
      if (bytes > 0) {
        const what = `${bytes} bytes of input for ${this.nameOf(id)}`;
        this.notices.notify('warning', `The connection broke with ${what} on the way. They are not sent again; look at what has arrived before you type on.`);
      }
    }
  }

  cancelPaste(sessionId: string): void {
    const given = this.streams.get(sessionId)?.cancelPaste() ?? 0;
    if (given > 0) this.notices.notify('info', `The paste into ${this.nameOf(sessionId)} was cancelled; ${formatBytes(given)} of it were not sent.`);
  }

  frame(data: ArrayBuffer): void {
    const frame = decodeFrame(data);
    if (frame.kind === FrameKind.Output) this.channels.get(frame.channel)?.output(frame.offset, frame.payload);
  }

  /** Messages about one terminal's stream. */
  message(message: Extract<ServerMessage, { sessionId?: string }>): void {
    const stream = this.streams.get(message.sessionId ?? '');
    if (!stream) return;
    switch (message.type) {
      case 'session.attached': {
        this.channels.set(message.channel, stream);
        // After a break the others may only not be back yet.
        const alone = stream.fresh && this.isAlone(message.sessionId);
        stream.attached(message);
        this.sizeReceived(message.sessionId, message.cols, message.rows);
        this.screens.attached(message.sessionId, alone);
        break;
      }
      case 'terminal.gap':
        stream.gap(message);
        break;
      case 'terminal.inputAck':
        stream.inputAck(message.sequence);
        break;
      case 'terminal.resized':
        stream.resized(message.cols, message.rows);
        this.sizeReceived(message.sessionId, message.cols, message.rows);
        break;
      case 'terminal.exit': {
        stream.exited();
        const { exitCode = null, signal = null } = message;
        this.store.update((state) => withChange(state, message.sessionId, { exitCode, signal }));
        break;
      }
      case 'error':
        this.refused(stream, message);
        break;
    }
  }

  private refused(stream: SessionStream, error: Extract<ServerMessage, { type: 'error' }>): void {
    const refusal = stream.attachRefused(error.code);
    if (refusal === 'retry') stream.attach(this.isActive(stream.sessionId));
    // A session that never ran has nothing to attach to, and says so by its status.
    else if (refusal === 'unrelated' || stream.running) this.notices.notify('error', `${this.nameOf(stream.sessionId)}: ${error.message}`);
  }

  private open(id: string): SessionStream {
    const sink = this.screens.create(id, {
      input: (bytes) => this.mayType() && this.entered(this.streams.get(id)?.type(bytes)),
      paste: ({ bytes, closing }) => this.mayType() && this.entered(this.streams.get(id)?.paste(bytes, closing)),
      mayResize: () => !this.store.get().login.readOnly,
      resized: (cols, rows) => this.resizeWanted(id, cols, rows),
      foreignSize: (foreign) => this.store.update((state) => withForeignSize(state, id, foreign)),
      // Who may only look answers no program either.
      mute: () => this.store.get().login.readOnly || (this.streams.get(id)?.replaying ?? false),
    });
    return new SessionStream(id, sink, {
      control: (message) => this.control(message),
      input: (channel, sequence, payload) => this.send(encodeInput(channel, sequence, payload)),
      pasting: (progress) => this.store.update((state) => withPaste(state, id, progress)),
    });
  }

  private mayType(): boolean {
    if (!this.store.get().login.readOnly) return true;
    this.notices.notify('info', 'This login may only look: what you type is not sent.');
    return false;
  }

  private entered(refusal: InputRefusal | null | undefined): void {
    if (refusal === 'offline') this.notices.notify('warning', 'Not connected: what you type is not sent.');
  }

  private resizeWanted(sessionId: string, cols: number, rows: number): boolean {
    if (!this.streams.get(sessionId)?.running) return false;
    return this.control({ type: 'terminal.resize', sessionId, cols, rows });
  }

  private sizeReceived(sessionId: string, cols: number, rows: number): void {
    this.store.update((state) => withChange(state, sessionId, { cols, rows }));
  }

  private control(message: ClientMessage): boolean {
    return this.send(JSON.stringify(message));
  }

  /** Whether nobody else was attached when the session was last told of. */
  private isAlone(sessionId: string): boolean {
    return this.store.get().sessions.find((session) => session.id === sessionId)?.clients === 0;
  }

  private isActive(sessionId: string): boolean {
    return this.store.get().activeId === sessionId;
  }

  private nameOf(sessionId: string): string {
    return nameOf(this.store.get(), sessionId);
  }
}
