/** Why a session was not destroyed with its worktree, in the words of the page. */

import type { ApiError } from '../net/api';
import { describeError } from './actions';

export interface Refusal {
  readonly text: string;
  /** What would be lost, one by one as far as it was told, and how much more there is. */
  readonly losses: readonly string[];
  readonly more: number;
  /** Whether a second word is enough to do it all the same. */
  readonly canForce: boolean;
}

interface Details {
  readonly changes?: readonly { readonly status: string; readonly path: string }[];
  readonly changeCount?: number;
  readonly commits?: readonly string[];
  readonly commitCount?: number;
  /** The session itself is gone; only the worktree was spared. */
  readonly sessionRemoved?: boolean;
}

/** These are refused only as long as nobody insists. */
const CAN_FORCE = ['WORKTREE_DIRTY', 'WORKTREE_IN_USE', 'WORKTREE_BROKEN'];

export function lossesOf(error: ApiError): Refusal {
  const { changes = [], changeCount = 0, commits = [], commitCount = 0, sessionRemoved = false } = (error.details ?? {}) as Details;
  const losses = [...changes.map(({ status, path }) => `${status.trim() === '??' ? 'new' : 'changed'}: ${path}`), ...commits.map((commit) => `commit: ${commit}`)];
  const canForce = CAN_FORCE.includes(error.code) && !sessionRemoved;
  // What the server suggests here is said by the controls of the dialog.
  const text = canForce ? `${error.message}.` : describeError(error);
  return { text, losses, more: Math.max(0, changeCount + commitCount - losses.length), canForce };
}
