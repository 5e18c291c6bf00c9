/** What the dialog for a new session makes of its fields, and of a refusal. */

import { ApiError, type NewSession } from '../net/api';
import { describeError } from './actions';
import { splitCommandLine } from './commandLine';

export type Field = 'name' | 'command' | 'cwd' | 'branch';

export interface Values extends Record<Field, string> {
  /** The branch is there already. */
  readonly existing: boolean;
}

/** `field` is what it is about; null for what no field can mend. */
export interface Problem {
  readonly field: Field | null;
  readonly text: string;
}

/** Checks only what can't be sent; everything else is the server's to judge. */
export function readForm({ name, command, cwd, branch, existing }: Values): NewSession | Problem {
  const spec: NewSession = {};
  if (name) spec.name = name;
  if (cwd.trim()) spec.cwd = cwd.trim();
  if (branch.trim()) {
    spec.branch = branch.trim();
    if (existing) spec.existingBranch = true;
  }
  try {
    const words = splitCommandLine(command);
    if (words.length > 0) spec.command = words;
  } catch (error) {
    return { field: 'command', text: describeError(error) };
  }
  return spec;
}

export function problemOf(error: unknown): Problem {
  if (!(error instanceof ApiError)) return { field: null, text: describeError(error) };
  const { status, code, message, details } = error;
  const suggestion = suggestions[code]?.(details) ?? error.suggestion;
  return { field: fieldOf(error), text: describeError(new ApiError(status, code, message, details, suggestion)) };
}

/** Where the server's suggestion is one for programs, the same in the words of the dialog. */
const suggestions: Record<string, (details: unknown) => string | undefined> = {
  BRANCH_EXISTS: (details) => {
    const { branch, worktreePath } = (details ?? {}) as { branch?: string; worktreePath?: string | null };
    // Checked out elsewhere it can't be used; in the way of another name it is not that name.
    return branch !== undefined && !worktreePath ? 'Choose another name, or say below that the branch exists already.' : undefined;
  },
  BRANCH_NOT_FOUND: () => 'For a new branch, take back that it exists already; one of a remote has to be fetched first.',
};

const FIELDS: Record<string, Field> = {
  INVALID_NAME: 'name',
  NAME_TAKEN: 'name',
  // The place of a worktree is named after its session.
  WORKTREE_PATH_TAKEN: 'name',
  WORKTREE_BROKEN: 'name',
  BRANCH_EXISTS: 'branch',
  BRANCH_NOT_FOUND: 'branch',
  BRANCH_AMBIGUOUS: 'branch',
  BRANCH_CHECKED_OUT: 'branch',
  NOT_A_REPOSITORY: 'branch',
  REPOSITORY_NOT_TRUSTED: 'branch',
  REPOSITORY_LOCKED: 'branch',
  BARE_REPOSITORY: 'branch',
  NO_COMMITS: 'branch',
  GIT_MISSING: 'branch',
  GIT_FAILED: 'branch',
  GIT_TIMEOUT: 'branch',
  NOT_PERMITTED: 'branch',
};

/** The field an answer is about, where its code and words tell. */
function fieldOf(error: ApiError): Field | null {
  if (error.code === 'SPAWN_FAILED') {
    // By the stage, not by the message: "no such file or directory" may be either.
    const { stage } = (error.details ?? {}) as { stage?: string };
    if (stage === 'chdir') return 'cwd';
    return stage === 'exec' ? 'command' : null;
  }
  if (error.code !== 'INVALID_REQUEST') return FIELDS[error.code] ?? null;
  if (/directory/i.test(error.message)) return 'cwd';
  if (/branch/i.test(error.message)) return 'branch';
  return /command/i.test(error.message) ? 'command' : null;
}
