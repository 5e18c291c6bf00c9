/** The words of the WebSocket and HTTP API, as the server spells them. */

export type SessionStatus = 'active' | 'waiting' | 'idle' | 'error' | 'stopped';

export interface Session {
  readonly id: string;
  readonly name: string;
  readonly status: SessionStatus;
  readonly command: readonly string[];
  readonly workingDirectory: string;
  readonly branch?: string | null;
  /** The session has a git worktree of its own. */
  readonly worktreePath?: string | null;
  readonly cols: number;
  readonly rows: number;
  readonly createdAt: string;
  readonly startedAt?: string;
  readonly exitCode?: number | null;
  readonly signal?: number | string | null;
  readonly exitReason?: string | null;
  /** When anything last happened: output, start or end. */
  readonly lastActivity?: string;
  readonly needsInput?: boolean;
  /** What a person is needed for, in the program's words where it has any. */
  readonly needsInputMessage?: string | null;
  readonly isStuck?: boolean;
  readonly memoryBytes?: number | null;
  readonly cpuPercent?: number | null;
  readonly processCount?: number | null;
  /** Connections attached to it. */
  readonly clients?: number;
  /** Processes of it that the kernel has killed for memory. */
  readonly oomKills?: number | null;
}

/** A process of a session. */
export interface SessionProcess {
  readonly pid: number;
  readonly parentPid: number;
  readonly command: string;
  readonly state: 'running' | 'sleeping' | 'blocked' | 'stopped' | 'traced' | 'zombie';
  readonly memoryBytes: number;
  readonly cpuPercent?: number;
  readonly startedAt: string;
  /** The keys of the session's terminal go to it. */
  readonly isForeground: boolean;
}

/** Each stands behind its parent and its older siblings' descendants. */
export interface ProcessList {
  readonly processes: readonly SessionProcess[];
  /** How many there are, also those that are not listed. */
  readonly count: number;
  readonly truncated: boolean;
}

export type MemoryLevel = 'normal' | 'warning' | 'critical';

export interface ResourceState {
  readonly memoryUsagePercent: number;
  readonly memoryUsedBytes: number;
  readonly memoryLimitBytes: number;
  readonly memoryLevel: MemoryLevel;
  /** From where on memory is high, and critical. */
  readonly warnPercent: number;
  readonly criticalPercent: number;
  /** Of one core: 200 is two cores. */
  readonly cpuPercent: number;
  readonly cpuLimitPercent?: number;
  readonly maxSessions: number;
  readonly isAcceptingNewSessions: boolean;
  readonly sampledAt: string;
}

/** A remembered moment of the container. */
export interface ResourceSample {
  readonly time: string;
  readonly memoryUsagePercent: number;
}

/** The level of memory changed, up or down. */
export interface ResourceWarning {
  readonly type: 'resource.warning';
  readonly message: string;
  readonly memoryUsagePercent: number;
  readonly isAcceptingNewSessions: boolean;
  readonly memoryLevel: MemoryLevel;
  /** When the limit will be reached, where that can be told. */
  readonly details?: string;
}

export interface Attached {
  readonly type: 'session.attached';
  readonly sessionId: string;
  readonly channel: number;
  /** Offset of the first byte that will follow. */
  readonly offset: number;
  /** Where the stream stood when this client joined: everything below is history. */
  readonly head: number;
  readonly oldest: number;
  readonly cols: number;
  readonly rows: number;
}

export interface Gap {
  readonly type: 'terminal.gap';
  readonly sessionId: string;
  readonly from: number;
  readonly to: number;
}

export type ServerMessage =
  | { readonly type: 'session.list'; readonly sessions: readonly Session[]; readonly generation: number }
  | { readonly type: 'session.created' | 'session.updated'; readonly session: Session }
  | {
      readonly type: 'session.status';
      readonly sessionId: string;
      readonly status: SessionStatus;
      readonly lastActivity?: string;
      readonly isStuck?: boolean;
      readonly reason?: string;
    }
  | { readonly type: 'session.destroyed'; readonly sessionId: string }
  | Attached
  | Gap
  | { readonly type: 'terminal.inputAck'; readonly sessionId: string; readonly sequence: number }
  | { readonly type: 'terminal.resized'; readonly sessionId: string; readonly cols: number; readonly rows: number }
  | {
      readonly type: 'terminal.exit';
      readonly sessionId: string;
      readonly exitCode?: number | null;
      readonly signal?: number | string | null;
      readonly offset: number;
    }
  | { readonly type: 'session.needsInput'; readonly sessionId: string; readonly message: string }
  | { readonly type: 'session.warning'; readonly sessionId: string; readonly message: string; readonly severity: string }
  | ({ readonly type: 'resource.state' } & ResourceState)
  | ResourceWarning
  | { readonly type: 'process.cleaned'; readonly pid: number; readonly sessionId?: string; readonly command: string; readonly reason: string }
  | { readonly type: 'server.shutdown'; readonly message: string; readonly gracePeriodMs: number }
  | { readonly type: 'heartbeat'; readonly timestamp: unknown }
  | { readonly type: 'error'; readonly message: string; readonly code: string; readonly sessionId?: string };

export type ClientMessage =
  | { readonly type: 'session.attach'; readonly sessionId: string; readonly offset: number | 'oldest'; readonly window: number }
  | { readonly type: 'terminal.ack'; readonly sessionId: string; readonly offset: number }
  | { readonly type: 'terminal.resize'; readonly sessionId: string; readonly cols: number; readonly rows: number }
  | { readonly type: 'heartbeat'; readonly timestamp: number };

/**
 * Reads a control message. Types this page does not know come back all the
 * same and fall through every `switch`, so that a newer server does no harm.
 */
export function parseServerMessage(text: string): ServerMessage {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null || typeof (value as { type?: unknown }).type !== 'string') {
    throw new TypeError('a control message must be a JSON object with a "type"');
  }
  return value as ServerMessage;
}

/** Whether the session holds a process that can be typed to. */
export function isRunning(session: Pick<Session, 'status'>): boolean {
  return session.status === 'active' || session.status === 'waiting';
}
