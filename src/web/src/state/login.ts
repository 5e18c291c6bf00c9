/** What the page knows of its login. */

export interface LoginState {
  /** `asking`: not known yet. `needed`: the form is shown. `trying`: a token is being checked. `in`: the page is shown. */
  readonly phase: 'asking' | 'needed' | 'trying' | 'in';
  /** Why nobody is logged in, in words; empty where there is nothing to say. */
  readonly error: string;
  /** Whether this login may only look. */
  readonly readOnly: boolean;
  /** Whether it is for one session that somebody else made. */
  readonly oneSession: boolean;
  /** Whether there is a login that one could leave. */
  readonly canLeave: boolean;
}

export const initialLogin: LoginState = { phase: 'asking', error: '', readOnly: false, oneSession: false, canLeave: false };

/** Whether this login may make and destroy sessions. The server decides; the page only offers nothing that would be refused. */
export function mayManage({ login }: { readonly login: LoginState }): boolean {
  return !login.readOnly && !login.oneSession;
}
