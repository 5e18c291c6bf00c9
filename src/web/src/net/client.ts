/**
 * Holds the connection, the streams and the page's state together: every
 * message of the server is turned into a change of one of them.
 */

import { parseServerMessage, type ServerMessage, type Session } from '../protocol/messages';
import { type AppState, nameOf, withChange, withForeignSize, withList, withoutSession, withSession } from '../state/appState';
import { type SessionEvent, withEvent } from '../state/events';
import { NoticeBoard } from '../state/noticeBoard';
import { withGreeting, withWarning } from '../state/resources';
import type { Store } from '../state/store';
import { UpkeepWatch } from '../state/upkeep';
import { Connection, type ConnectionPhase, type Socket } from './connection';
import type { ScreenHost } from './screenHost';
import { Streams } from './streams';

export class Client {
  readonly notices: NoticeBoard;
  readonly streams: Streams;
  private readonly connection: Connection;
  private readonly upkeep: UpkeepWatch;

  constructor(
    private readonly store: Store<AppState>,
    screens: ScreenHost,
    openSocket: () => Socket,
    refused: (reason: string) => void = () => {},
  ) {
    this.notices = new NoticeBoard(store);
    this.upkeep = new UpkeepWatch(store);
    this.streams = new Streams(store, screens, this.notices, (data) => this.connection.send(data));
    this.connection = new Connection(openSocket, {
      phase: (phase) => this.phaseChanged(phase),
      text: (data) => this.textReceived(data),
      binary: (data) => this.binaryReceived(data),
      refused,
    });
  }

  start(): Connection {
    this.connection.connect();
    return this.connection;
  }

  wake(): void {
    this.connection.wake();
  }

  /** Ends the connection until the next start. */
  hold(): void {
    this.connection.hold();
  }

  /** Takes in a session, new or changed, and sees to it that it streams. */
  adopt(session: Session): void {
    this.store.update((state) => withSession(state, session));
    this.streams.follow(session);
  }

  forget(sessionId: string): void {
    this.streams.forget(sessionId);
    this.store.update((state) => withForeignSize(withoutSession(state, sessionId), sessionId, false));
  }

  /** The server says how often it was started again. */
  restartsCounted(count: number): void {
    this.upkeep.restartsCounted(count);
  }

  private phaseChanged(phase: ConnectionPhase): void {
    this.store.update((state) => ({ ...state, connection: phase }));
    if (phase !== 'open') this.streams.lineLost();
  }

  private textReceived(data: string): void {
    let message: ServerMessage;
    try {
      message = parseServerMessage(data);
    } catch (error) {
      console.error('quarterdeck: unreadable control message', error);
      return;
    }
    if (this.sessionMessage(message) || this.containerMessage(message)) return;
    if ('sessionId' in message && message.sessionId !== undefined) this.streams.message(message);
    else if (message.type === 'error') this.notices.notify('error', message.message);
  }

  private binaryReceived(data: ArrayBuffer): void {
    try {
      this.streams.frame(data);
    } catch (error) {
      console.error('quarterdeck: unreadable frame', error);
    }
  }

  /** Messages about which sessions there are and what becomes of them. */
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
        this.store.update((state) => withChange(state, message.sessionId, { needsInput: true, needsInputMessage: message.message }));
        return true;
      case 'session.warning':
        this.notices.notify('warning', `${this.nameOf(message.sessionId)}: ${message.message}`);
        this.keepEvent(message.sessionId, 'warning', message.message);
        return true;
      default:
        return false;
    }
  }

  /** Messages about the container and what the server does by itself. */
  private containerMessage(message: ServerMessage): boolean {
    switch (message.type) {
      case 'resource.state':
        this.store.update((state) => withGreeting(state, message));
        return true;
      case 'resource.warning':
        this.store.update((state) => withWarning(state, message));
        // The banner speaks of every other level.
        if (message.memoryLevel === 'normal') this.notices.notify('info', message.message);
        return true;
      case 'process.cleaned':
        this.upkeep.cleaned(message);
        if (message.sessionId !== undefined) {
          this.keepEvent(message.sessionId, 'cleaned', `Process ${message.pid} (${message.command}) was ended: ${message.reason}.`);
        }
        return true;
      case 'server.shutdown':
        this.notices.notify('warning', message.message);
        return true;
      default:
        return false;
    }
  }

  private listReceived(sessions: readonly Session[]): void {
    const present = new Set(sessions.map((session) => session.id));
    for (const id of this.streams.ids()) {
      if (!present.has(id)) this.forget(id);
    }
    // A container that was killed may have lost the end of the output, and a new life counts on from what is left: the
    // same offsets are then those of other bytes.
    for (const { id, startedAt } of this.store.get().sessions) {
      const now = sessions.find((session) => session.id === id)?.startedAt;
      if (now !== undefined && startedAt !== undefined && now !== startedAt) this.streams.distrust(id);
    }
    this.store.update((state) => withList(state, sessions));
    // The visible session first: its history is what the user waits for.
    const activeId = this.store.get().activeId;
    for (const session of [...sessions].sort((a, b) => Number(b.id === activeId) - Number(a.id === activeId))) {
      this.streams.follow(session);
    }
  }

  private statusReceived(message: Extract<ServerMessage, { type: 'session.status' }>): void {
    this.store.update((state) =>
      withChange(state, message.sessionId, {
        status: message.status,
        isStuck: message.isStuck ?? false,
        ...(message.status === 'waiting' ? {} : { needsInput: false, needsInputMessage: null }),
        ...(message.lastActivity === undefined ? {} : { lastActivity: message.lastActivity }),
        ...(message.reason === undefined ? {} : { exitReason: message.reason }),
      }),
    );
    const session = this.store.get().sessions.find((known) => known.id === message.sessionId);
    if (session) this.streams.follow(session);
  }

  private keepEvent(sessionId: string, kind: SessionEvent['kind'], text: string): void {
    this.store.update((state) => withEvent(state, sessionId, { unixMs: Date.now(), kind, text }));
  }

  private nameOf(sessionId: string): string {
    return nameOf(this.store.get(), sessionId);
  }
}
