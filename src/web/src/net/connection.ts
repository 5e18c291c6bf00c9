/**
 * One WebSocket that comes back by itself.
 *
 *   connecting --open--> open --close / silence--> waiting --timer / wake--> connecting
 *
 * Before the first `connect` and after `hold` it does nothing by itself.
 *
 * It knows nothing of sessions: it delivers text and binary messages and says
 * when the line is up or down. What must survive a break lives above it.
 */

export type ConnectionPhase = 'connecting' | 'open' | 'waiting';

/** The part of the browser's WebSocket that is used, so that tests can bring their own. */
export interface Socket {
  binaryType: string;
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  send(data: string | ArrayBuffer): void;
  close(): void;
}

export interface ConnectionEvents {
  phase(phase: ConnectionPhase): void;
  text(data: string): void;
  binary(data: ArrayBuffer): void;
  /** The server did not take the line, or cut it for a reason of policy. It is tried again all the same. */
  refused(reason: string): void;
}

/** The close code for a login that is over. */
const POLICY_VIOLATION = 1008;

const CONNECT_TIMEOUT_MS = 10_000;
const HEARTBEAT_MS = 15_000;
/** How long an answer may take when the page has just come back from sleep. */
const WAKE_ANSWER_MS = 4_000;
const BACKOFF_FIRST_MS = 250;
const BACKOFF_MAX_MS = 10_000;

/** The wait before attempt number `attempt` (0 is the first retry). */
export function backoff(attempt: number, random: () => number): number {
  const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(attempt, 16));
  // Half of it is jitter: after a restart not every page knocks at once.
  return ceiling / 2 + (ceiling / 2) * random();
}

export class Connection {
  private socket: Socket | null = null;
  private phase: ConnectionPhase = 'waiting';
  private held = true;
  private attempt = 0;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private connectTimer: ReturnType<typeof setTimeout> | undefined;
  private heartbeatTimer: ReturnType<typeof setTimeout> | undefined;
  /** A heartbeat was sent and nothing at all has come since. */
  private awaitingAnswer = false;

  constructor(
    private readonly open: () => Socket,
    private readonly events: ConnectionEvents,
    private readonly random: () => number = Math.random,
  ) {}

  /** Connects now, unless the line is up or being made. */
  connect(): void {
    this.held = false;
    if (this.socket) return;
    clearTimeout(this.retryTimer);
    this.setPhase('connecting');
    let socket: Socket;
    try {
      socket = this.open();
    } catch {
      this.retryLater();
      return;
    }
    this.socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => this.opened();
    socket.onmessage = (event) => this.received(event.data);
    socket.onclose = ({ code, reason }) => {
      const isRefused = this.phase !== 'open' || code === POLICY_VIOLATION;
      this.lost();
      if (isRefused) this.events.refused(reason);
    };
    this.connectTimer = setTimeout(() => this.lost(), CONNECT_TIMEOUT_MS);
  }

  /**
   * The page became visible, the network came back, or the user asks: don't
   * sit out the back-off, and don't trust a line that may have died in sleep.
   */
  wake(): void {
    if (this.phase === 'open') this.probe(WAKE_ANSWER_MS);
    else if (this.phase === 'waiting' && !this.held) this.connect();
  }

  /** Lets go of the line, and makes no other until `connect`. */
  hold(): void {
    this.lost();
    this.held = true;
    clearTimeout(this.retryTimer);
  }

  /** Sends if the line is up; says whether it did. */
  send(data: string | ArrayBuffer): boolean {
    if (this.phase !== 'open' || !this.socket) return false;
    this.socket.send(data);
    return true;
  }

  private opened(): void {
    clearTimeout(this.connectTimer);
    this.attempt = 0;
    this.awaitingAnswer = false;
    this.setPhase('open');
    this.scheduleHeartbeat(HEARTBEAT_MS);
  }

  private received(data: unknown): void {
    this.awaitingAnswer = false;
    if (typeof data === 'string') this.events.text(data);
    else if (data instanceof ArrayBuffer) this.events.binary(data);
  }

  private scheduleHeartbeat(delay: number): void {
    clearTimeout(this.heartbeatTimer);
    // Judged from tick to tick, not by the clock: a hidden page's timers may
    // run once a minute, and that alone must not look like a dead line.
    this.heartbeatTimer = setTimeout(() => (this.awaitingAnswer ? this.lost() : this.probe(HEARTBEAT_MS)), delay);
  }

  private probe(answerWithin: number): void {
    this.awaitingAnswer = true;
    this.send(JSON.stringify({ type: 'heartbeat', timestamp: Date.now() }));
    this.scheduleHeartbeat(answerWithin);
  }

  /** Lets go of the socket (its own events no longer count) and tries again later. */
  private lost(): void {
    const socket = this.socket;
    this.socket = null;
    clearTimeout(this.connectTimer);
    clearTimeout(this.heartbeatTimer);
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
    this.retryLater();
  }

  private retryLater(): void {
    const delay = backoff(this.attempt++, this.random);
    this.setPhase('waiting');
    clearTimeout(this.retryTimer);
    this.retryTimer = setTimeout(() => this.connect(), delay);
  }

  private setPhase(phase: ConnectionPhase): void {
    if (this.phase === phase) return;
    this.phase = phase;
    this.events.phase(phase);
  }
}

/** Wakes the connection on every sign that a retry is worth it now. */
export function wakeOnPageEvents(connection: Connection): void {
  const wake = () => connection.wake();
  window.addEventListener('online', wake);
  window.addEventListener('pageshow', wake);
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) wake();
  });
}
