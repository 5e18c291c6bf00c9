import { useState } from 'react';
import { useApp } from '../app';
import type { Session } from '../protocol/messages';
import { describeError } from '../state/actions';
import { Dialog } from './Dialog';

export function DestroyDialog({ session, onClose }: { session: Session; onClose(done: boolean): void }) {
  const { actions } = useApp();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState('');

  const destroy = async () => {
    setBusy(true);
    setError('');
    try {
      await actions.destroy(session);
      onClose(true);
    } catch (problem) {
      setError(describeError(problem));
      setBusy(false);
    }
  };

  return (
    <Dialog title={`Destroy ${session.name}?`} onClose={() => onClose(false)}>
      <p>
        Its program is still running. It and everything it started will be ended, and the session's output is thrown away.
        This can't be undone.
      </p>
      {error && (
        <p role="alert" className="mt-3 text-error-text">
          {error}
        </p>
      )}
      <div className="mt-5 flex justify-end gap-2">
        <button type="button" className="button" autoFocus onClick={() => onClose(false)}>
          Keep it
        </button>
        <button type="button" className="button-danger" disabled={busy} onClick={() => void destroy()}>
          {busy ? 'Ending…' : 'Destroy'}
        </button>
      </div>
    </Dialog>
  );
}
