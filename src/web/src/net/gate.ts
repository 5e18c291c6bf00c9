/**
 * Whether this browser is logged in. A browser does not tell why a WebSocket was refused, so whoever was refused asks here.
 */

import { initialLogin, type LoginState } from '../state/login';
import { ApiError, type Login, logIn, loginState, logOut } from './api';

export interface GateEvents {
  /** What is known of the login has changed. */
  changed(state: LoginState): void;
  /** Logged in, or nobody has to be: connecting makes sense. */
  opened(): void;
  /** Connecting makes none until somebody has logged in. */
  closed(): void;
  /** The server takes no connection from this address, whoever is logged in. */
  misplaced(): void;
}

export class Gate {
  private asking = false;

  constructor(private readonly events: GateEvents) {}

  /** At the page's start, with the token that its address had. */
  async start(token: string | null): Promise<void> {
    if (token !== null) return this.exchange(token);
    const answer = await loginState().catch(() => null);
    // A server that does not answer is what the connection is there for.
    if (answer === null || answer.loggedIn) this.enter(answer);
    else this.leave('');
  }

  /** The connection was refused, or cut off. Unless that is for want of a login, it is not our affair. */
  async refused(reason: string): Promise<void> {
    if (this.asking) return;
    this.asking = true;
    const answer = await loginState().catch(() => null);
    this.asking = false;
    if (answer === null) return;
    if (answer.loggedIn) {
      if (answer.socketAllowed === false) this.events.misplaced();
      return;
    }
    this.leave(reason === '' ? '' : `You were logged out: ${reason}.`);
  }

  /** Shows a token; what is wrong with it is told in the state. */
  async logIn(token: string): Promise<void> {
    this.events.changed({ ...initialLogin, phase: 'trying' });
    await this.exchange(token);
  }

  /** Gives the login up, in this browser. */
  async logOut(): Promise<void> {
    await logOut();
    this.leave('');
  }

  private async exchange(token: string): Promise<void> {
    try {
      this.enter(await logIn(token));
    } catch (error) {
      this.leave(inWords(error));
    }
  }

  private leave(error: string): void {
    this.events.closed();
    this.events.changed({ ...initialLogin, phase: 'needed', error });
  }

  private enter(login: Login | null): void {
    const { readOnly = false, sessionId, loginRequired = false } = login ?? {};
    this.events.changed({ ...initialLogin, phase: 'in', readOnly, oneSession: sessionId !== undefined, canLeave: loginRequired });
    this.events.opened();
  }
}

function inWords(error: unknown): string {
  if (!(error instanceof ApiError)) return 'Logging in failed. Load the page again.';
  if (error.code === 'UNAUTHORIZED') return `${error.message}. Copy it once more, all of it.`;
  return [error.message, error.suggestion].filter((part) => part !== '').map((part) => part.replace(/\.?$/, '.')).join(' ');
}
