import { useState } from 'react';
import { useApp } from '../app';
import { useWebSocket } from '../hooks/useWebSocket';
import { ApiError } from '../net/api';
import { isRunning, type Session } from '../protocol/messages';
import { describeError } from '../state/actions';
import { lossesOf, type Refusal } from '../state/losses';
import { Dialog } from './Dialog';

interface Props {
  session: Session;
  onClose(done: boolean): void;
}

/** Asks before something is lost: a running program, one that waits to be resumed, or the choice of what becomes of a worktree. */
export function DestroyDialog({ session, onClose }: Props) {
  const { actions } = useApp();
  const { sessions } = useWebSocket();
  const [busy, setBusy] = useState(false);
  const [deleteWorktree, setDeleteWorktree] = useState(false);
  const [refusal, setRefusal] = useState<Refusal | null>(null);

  const destroy = async (force: boolean) => {
    setBusy(true);
    setRefusal(null);
    try {
      await actions.destroy(session, { deleteWorktree, force });
      onClose(true);
    } catch (problem) {
      setRefusal(problem instanceof ApiError ? lossesOf(problem) : { text: describeError(problem), losses: [], more: 0, canForce: false });
      setBusy(false);
    }
  };

  // Refused for its worktree at the very end: the session itself has ended.
  const isGone = refusal !== null && !sessions.some(({ id }) => id === session.id);
  return (
    <Dialog title={`Destroy ${session.name}?`} onClose={() => onClose(false)}>
      <p>
        {isRunning(session) && 'Its program is still running. It and everything it started will be ended. '}
        {session.status === 'idle' && 'It waits to be resumed, and could not be any more. '}
        The session's output is thrown away. This can't be undone.
      </p>
      {session.worktreePath && (
        <WorktreeChoice
          session={session}
          checked={deleteWorktree}
          onChange={(checked) => {
            setDeleteWorktree(checked);
            setRefusal(null);
          }}
        />
      )}
      {refusal && <Refused refusal={refusal} busy={busy} onForce={() => void destroy(true)} />}
      <div className="mt-5 flex justify-end gap-2">
        <button type="button" className="button" autoFocus onClick={() => onClose(false)}>
          {isGone ? 'Close' : 'Keep it'}
        </button>
        {/* What was refused would be refused again; what may be done instead stands with the reason. */}
        {!refusal?.canForce && !isGone && (
          <button type="button" className="button-danger" disabled={busy} onClick={() => void destroy(false)}>
            {busy ? 'Ending…' : 'Destroy'}
          </button>
        )}
      </div>
    </Dialog>
  );
}

function WorktreeChoice({ session, checked, onChange }: { session: Session; checked: boolean; onChange(checked: boolean): void }) {
  return (
    <>
      <label className="mt-4 flex items-start gap-2">
        <input type="checkbox" className="mt-0.5 size-4 shrink-0 accent-accent" checked={checked} onChange={(event) => onChange(event.target.checked)} />
        <span className="min-w-0">
          Delete its worktree, too: <span className="font-mono text-xs break-all">{session.worktreePath}</span>
        </span>
      </label>
      <p className="mt-1 pl-6 text-xs text-muted">
        {session.branch ? `The branch ${session.branch} stays, with all that is committed on it.` : 'Branches stay, with all that is committed on them.'}
      </p>
    </>
  );
}

function Refused({ refusal: { text, losses, more, canForce }, busy, onForce }: { refusal: Refusal; busy: boolean; onForce(): void }) {
  return (
    <div role="alert" className="mt-4 rounded-md border border-error p-3">
      <p className="text-error-text">{text}</p>
      {losses.length > 0 && (
        // Reached by keyboard, as it may be longer than its place.
        <ul tabIndex={0} aria-label="What would be lost" className="mt-2 max-h-32 overflow-y-auto font-mono text-xs break-all">
          {losses.map((loss) => (
            <li key={loss}>{loss}</li>
          ))}
          {more > 0 && <li>and {more.toLocaleString('en')} more</li>}
        </ul>
      )}
      {canForce && (
        <button type="button" className="button-danger mt-3" disabled={busy} onClick={onForce}>
          Destroy it all the same
        </button>
      )}
    </div>
  );
}
