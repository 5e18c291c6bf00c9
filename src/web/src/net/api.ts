/** The HTTP API calls the page makes. */

import type { ProcessList, ResourceSample, ResourceState, Session } from '../protocol/messages';

export interface NewSession {
  name?: string;
  command?: string[];
  cwd?: string;
  /** For a git worktree of its own. */
  branch?: string;
  /** The branch is there already. */
  existingBranch?: boolean;
  cols?: number;
  rows?: number;
}

export interface Health {
  readonly version: string;
  /** How often the API server was started again in this container's life. */
  readonly serverRestarts: number;
}

/** Whether one has to log in, and as what one is logged in. */
export interface Login {
  readonly loginRequired: boolean;
  readonly loggedIn: boolean;
  /** Whether the login may only look. */
  readonly readOnly?: boolean;
  /** The one session that the login is for. */
  readonly sessionId?: string;
  /** Whether a page of this address may open the WebSocket. */
  readonly socketAllowed?: boolean;
}

/** An answer that was not a success, in the server's own words. `details` is a sentence or, for programs, an object. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly details: unknown,
    readonly suggestion: string,
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

export function createSession(spec: NewSession): Promise<Session> {
  return call<{ session: Session }>('POST', '/api/sessions', spec).then((body) => body.session);
}

export function resumeSession(id: string): Promise<Session> {
  return call<{ session: Session }>('POST', `/api/sessions/${encodeURIComponent(id)}/resume`).then((body) => body.session);
}

export interface DestroyOptions {
  readonly deleteWorktree?: boolean;
  /** Whatever is lost with the worktree. */
  readonly force?: boolean;
}

export async function destroySession(id: string, { deleteWorktree, force }: DestroyOptions): Promise<void> {
  const query = deleteWorktree ? `?deleteWorktree=true${force ? '&force=true' : ''}` : '';
  await call('DELETE', `/api/sessions/${encodeURIComponent(id)}${query}`);
}

/** Some of a session's output, and where it begins and ends. */
export interface OutputPage {
  readonly bytes: Blob;
  readonly offset: number;
  readonly next: number;
}

export function getSession(id: string): Promise<Session & { outputOffset: number; oldestOffset: number }> {
  type Full = Session & { outputOffset: number; oldestOffset: number };
  return call<{ session: Full }>('GET', `/api/sessions/${encodeURIComponent(id)}`).then((body) => body.session);
}

export async function outputPage(id: string, offset: number, limit: number): Promise<OutputPage> {
  const response = await send('GET', `/api/sessions/${encodeURIComponent(id)}/output?offset=${offset}&limit=${limit}`);
  const header = (name: string) => Number(response.headers.get(`Quarterdeck-${name}`));
  return { bytes: await response.blob(), offset: header('Offset'), next: header('Next-Offset') };
}

export function listSessions(): Promise<readonly Session[]> {
  return call<{ sessions: Session[] }>('GET', '/api/sessions').then((body) => body.sessions);
}

export function sessionProcesses(id: string): Promise<ProcessList> {
  return call<ProcessList>('GET', `/api/sessions/${encodeURIComponent(id)}/processes`);
}

export function loginState(): Promise<Login> {
  return call<Login>('GET', '/api/login');
}

/** Exchanges a token for a cookie, which only the browser gets to see. */
export function logIn(token: string): Promise<Login> {
  return call<Login>('POST', '/api/login', { token });
}

export async function logOut(): Promise<void> {
  await call('POST', '/api/logout');
}

export function health(): Promise<Health> {
  return call<Health>('GET', '/api/health');
}

export function resources(): Promise<ResourceState> {
  return call<ResourceState>('GET', '/api/resources');
}

export function resourceHistory(seconds: number): Promise<readonly ResourceSample[]> {
  return call<{ samples: ResourceSample[] }>('GET', `/api/resources/history?seconds=${seconds}`).then((body) => body.samples);
}

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const response = await send(method, path, body);
  return (await response.json().catch(() => null)) as T;
}

/** The answer, if it is a success. */
async function send(method: string, path: string, body?: unknown): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      ...(body === undefined ? {} : { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }),
    });
  } catch {
    throw new ApiError(0, 'UNREACHABLE', 'The server can not be reached.', null, 'Wait until the page is connected again, then try once more.');
  }
  if (!response.ok) throw toError(response.status, await response.json().catch(() => null));
  return response;
}

function toError(status: number, answer: unknown): ApiError {
  const error = ((answer as { error?: Record<string, unknown> } | null)?.error ?? {}) as Record<string, unknown>;
  return new ApiError(
    status,
    text(error['code']) || `HTTP_${status}`,
    text(error['message']) || `The server answered with status ${status} and no explanation.`,
    error['details'],
    text(error['suggestion']),
  );
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
