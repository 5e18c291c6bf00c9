/**
 * Holds the connection, one stream per session and the page's state together:
 * every message of the server is turned into a change of one of them.
 */

import { decodeFrame, encodeInput, FrameKind } from '../protocol/frame';
import { type ClientMessage, isRunning, parseServerMessage, type ServerMessage, type Session } from '../protocol/messages';
import {
  type AppState,
  type Notice,
  withChange,
  withForeignSize,
  withList,
  withNotice,
  withoutNotice,
  withoutSession,
  withPaste,
  withSession,
} from '../state/appState';
import { type SessionEvent, withEvent } from '../state/events';
import { formatBytes } from '../state/format';
import { withGreeting, withWarning } from '../state/resources';
import type { Store } from '../state/store';
import { UpkeepWatch } from '../state/upkeep';
import { Connection, type ConnectionPhase, type Socket } from './connection';
import { type InputRefusal, SessionStream, type StreamSink } from './sessionStream';

/** What a terminal needs from the stream it shows. */
export interface ScreenHooks {
  input(bytes: Uint8Array): void;
  paste(pasted: { bytes: Uint8Array; closing: Uint8Array }): void;
  /** Asks for a size; says whether that was possible. */
  resized(cols: number, rows: number): boolean;
  /** Whether the terminal has a size that is not that of its room. */
  foreignSize(foreign: boolean): void;
  replaying(): boolean;
}

/** The terminals, as far as this file cares. */
export interface ScreenHost {
  create(sessionId: string, hooks: ScreenHooks): StreamSink;
  remove(sessionId: string): void;
  /** The session is attached: a visible terminal may now set the size, `alone` without a sign of the user. */
  attached(sessionId: string, alone: boolean): void;
  /** The session takes a size again. */
  fit(sessionId: string): void;
}

const NOTICE_MS = 8_000;

export class Client {
  private readonly connection: Connection;
  private readonly streams = new Map<string, SessionStream>();
  private readonly channels = new Map<number, SessionStream>();
  private readonly upkeep: UpkeepWatch;
  private lastNotice = 0;
  /** Creations under way from this page. */
  private creating = 0;

  constructor(
    private readonly store: Store<AppState>,
    private readonly screens: ScreenHost,
    openSocket: () => Socket,
  ) {
    this.upkeep = new UpkeepWatch(store);
    this.connection = new Connection(openSocket, {
      phase: (phase) => this.phaseChanged(phase),
      text: (data) => this.textReceived(data),
      binary: (data) => this.binaryReceived(data),
    });
  }

  start(): Connection {
    this.connection.connect();
    return this.connection;
  }

  wake(): void {
    this.connection.wake();
  }

  /** Takes in a session, new or changed, and sees to it that it streams. */
  adopt(session: Session): void {
    this.store.update((state) => withSession(state, session));
    this.follow(session);
  }

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

  forget(sessionId: string): void {
    this.streams.get(sessionId)?.dispose();
    this.streams.delete(sessionId);
    for (const [channel, stream] of this.channels) {
      if (stream.sessionId === sessionId) this.channels.delete(channel);
    }
    this.screens.remove(sessionId);
    this.store.update((state) => withForeignSize(withoutSession(state, sessionId), sessionId, false));
  }

  cancelPaste(sessionId: string): void {
    const given = this.streams.get(sessionId)?.cancelPaste() ?? 0;
    if (given > 0) this.notify('info', `The paste into ${this.nameOf(sessionId)} was cancelled; ${formatBytes(given)} of it were not sent.`);
  }

  notify(kind: Notice['kind'], text: string): void {
    const id = ++this.lastNotice;
    this.store.update((state) => withNotice(state, { id, kind, text }));
    if (kind !== 'error') setTimeout(() => this.dismiss(id), NOTICE_MS);
  }

  /** The server says how often it was started again. */
  restartsCounted(count: number): void {
    this.upkeep.restartsCounted(count);
  }

  dismiss(id: number): void {
    this.store.update((state) => withoutNotice(state, id));
  }

  private phaseChanged(phase: ConnectionPhase): void {
    this.store.update((state) => ({ ...state, connection: phase }));
    if (phase === 'open') return;
    this.channels.clear();
    for (const [id, stream] of this.streams) {
      const bytes = stream.lineLost();
      if (bytes > 0) {
        this.notify('warning', `The connection broke with ${bytes} bytes of input for ${this.nameOf(id)} on the way. They are not sent again; look at what has arrived before you type on.`);
      }
    }
  }

  private textReceived(data: string): void {
    let message: ServerMessage;
    try {
      message = parseServerMessage(data);
    } catch (error) {
      console.error('quarterdeck: unreadable control message', error);
      return;
    }
    if (!this.sessionMessage(message)) this.terminalMessage(message);
  }

  /** Messages about which sessions exist and what else is going on. */
  private sessionMessage(message: ServerMessage): boolean {
    switch (message.type) {
      case 'session.list':
        this.listReceived(message.sessions);
        return true;
      case 'session.created':
      case 'session.updated':
        this.adopt(message.session);
        return true;
      case 'session.status':
        this.statusReceived(message);
        return true;
      case 'session.destroyed':
        this.forget(message.sessionId);
        return true;
      case 'session.needsInput':
        this.store.update((state) => withChange(state, message.sessionId, { needsInput: true }));
        this.notify('info', `${this.nameOf(message.sessionId)} needs you: ${message.message}`);
        return true;
      case 'session.warning':
        this.notify('warning', `${this.nameOf(message.sessionId)}: ${message.message}`);
        this.keepEvent(message.sessionId, 'warning', message.message);
        return true;
      case 'resource.state':
        this.store.update((state) => withGreeting(state, message));
        return true;
      case 'resource.warning':
        this.store.update((state) => withWarning(state, message));
        // The banner speaks of every other level.
        if (message.memoryLevel === 'normal') this.notify('info', message.message);
        return true;
      case 'process.cleaned':
        this.upkeep.cleaned(message);
        if (message.sessionId !== undefined) {
          this.keepEvent(message.sessionId, 'cleaned', `Process ${message.pid} (${message.command}) was ended: ${message.reason}.`);
        }
        return true;
      case 'server.shutdown':
        this.notify('warning', message.message);
        return true;
      default:
        return false;
    }
  }

  /** Messages about one terminal's stream. */
  private terminalMessage(message: ServerMessage): void {
    if (!('sessionId' in message) || message.sessionId === undefined) {
      if (message.type === 'error') this.notify('error', message.message);
      return;
    }
    const stream = this.streams.get(message.sessionId);
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
        this.errorReceived(stream, message);
        break;
    }
  }

  private binaryReceived(data: ArrayBuffer): void {
    try {
      const frame = decodeFrame(data);
      if (frame.kind === FrameKind.Output) this.channels.get(frame.channel)?.output(frame.offset, frame.payload);
    } catch (error) {
      console.error('quarterdeck: unreadable frame', error);
    }
  }

  private listReceived(sessions: readonly Session[]): void {
    const present = new Set(sessions.map((session) => session.id));
    for (const id of [...this.streams.keys()]) {
      if (!present.has(id)) this.forget(id);
    }
    this.store.update((state) => withList(state, sessions));
    // The visible session first: its history is what the user waits for.
    const activeId = this.store.get().activeId;
    for (const session of [...sessions].sort((a, b) => Number(b.id === activeId) - Number(a.id === activeId))) {
      this.follow(session);
    }
  }

  private statusReceived(message: Extract<ServerMessage, { type: 'session.status' }>): void {
    this.store.update((state) =>
      withChange(state, message.sessionId, {
        status: message.status,
        isStuck: message.isStuck ?? false,
        ...(message.lastActivity === undefined ? {} : { lastActivity: message.lastActivity }),
        ...(message.reason === undefined ? {} : { exitReason: message.reason }),
      }),
    );
    const session = this.store.get().sessions.find((known) => known.id === message.sessionId);
    if (session) this.follow(session);
  }

  private keepEvent(sessionId: string, kind: SessionEvent['kind'], text: string): void {
    this.store.update((state) => withEvent(state, sessionId, { unixMs: Date.now(), kind, text }));
  }

  private sizeReceived(sessionId: string, cols: number, rows: number): void {
    this.store.update((state) => withChange(state, sessionId, { cols, rows }));
  }

  private errorReceived(stream: SessionStream, message: Extract<ServerMessage, { type: 'error' }>): void {
    const refusal = stream.attachRefused(message.code);
    if (refusal === 'retry') stream.attach(this.isActive(stream.sessionId));
    // A session that never ran has nothing to attach to, and says so by its status.
    else if (refusal === 'unrelated' || stream.running) this.notify('error', `${this.nameOf(stream.sessionId)}: ${message.message}`);
  }

  private follow(session: Session): void {
    let stream = this.streams.get(session.id);
    if (!stream) {
      stream = this.openStream(session.id);
      this.streams.set(session.id, stream);
    }
    const wasRunning = stream.running;
    stream.running = isRunning(session);
    if (stream.running && !wasRunning) this.screens.fit(session.id);
    if (this.creating > 0 && stream.fresh) return;
    if (this.store.get().connection === 'open') stream.attach(this.isActive(session.id));
  }

  private openStream(id: string): SessionStream {
    const sink = this.screens.create(id, {
      input: (bytes) => this.entered(this.streams.get(id)?.type(bytes)),
      paste: ({ bytes, closing }) => this.entered(this.streams.get(id)?.paste(bytes, closing)),
      resized: (cols, rows) => this.resizeWanted(id, cols, rows),
      foreignSize: (foreign) => this.store.update((state) => withForeignSize(state, id, foreign)),
      replaying: () => this.streams.get(id)?.replaying ?? false,
    });
    return new SessionStream(id, sink, {
      control: (message) => this.sendControl(message),
      input: (channel, sequence, payload) => this.connection.send(encodeInput(channel, sequence, payload)),
      pasting: (progress) => this.store.update((state) => withPaste(state, id, progress)),
    });
  }

  private entered(refusal: InputRefusal | null | undefined): void {
    if (refusal === 'offline') this.notify('warning', 'Not connected: what you type is not sent.');
  }

  private resizeWanted(sessionId: string, cols: number, rows: number): boolean {
    if (!this.streams.get(sessionId)?.running) return false;
    return this.sendControl({ type: 'terminal.resize', sessionId, cols, rows });
  }

  private sendControl(message: ClientMessage): boolean {
    return this.connection.send(JSON.stringify(message));
  }

  /** Whether nobody else was attached when the session was last told of. */
  private isAlone(sessionId: string): boolean {
    return this.store.get().sessions.find((session) => session.id === sessionId)?.clients === 0;
  }

  private isActive(sessionId: string): boolean {
    return this.store.get().activeId === sessionId;
  }

  private nameOf(sessionId: string): string {
    return this.store.get().sessions.find((session) => session.id === sessionId)?.name ?? 'a session';
  }
}
