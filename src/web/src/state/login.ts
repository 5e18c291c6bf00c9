/** What the page knows of its login. */

export interface LoginState {
  /** `asking`: not known yet. `needed`: the form is shown. `trying`: a token is being checked. `in`: the page is shown. */
  readonly phase: 'asking' | 'needed' | 'trying' | 'in';
  /** Why nobody is logged in, in words; empty where there is nothing to say. */
  readonly error: string;
  /** Whether this login may only look. */
  readonly readOnly: boolean;
  /** Whether there is a login that one could leave. */
  readonly canLeave: boolean;
}

export const initialLogin: LoginState = { phase: 'asking', error: '', readOnly: false, canLeave: false };
