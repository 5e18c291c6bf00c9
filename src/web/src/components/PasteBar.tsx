import { ClipboardPaste } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useApp } from '../app';
import { INPUT_WINDOW, type PasteProgress } from '../net/inputQueue';
import type { Session } from '../protocol/messages';
import { formatBytes } from '../state/format';

/** Most pastes are over before one could read of them. */
const SHOWN_AFTER_MS = 200;

/** A long paste on its way into the program, with the way to stop it. */
export function PasteBar({ session, progress }: { session: Session; progress: PasteProgress }) {
  const { actions } = useApp();
  const [shown, setShown] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setShown(true), SHOWN_AFTER_MS);
    return () => clearTimeout(timer);
  }, []);
  const { total, written } = progress;
  if (!shown || total <= INPUT_WINDOW) return null;
  return (
    <div
      data-testid="paste"
      // Over the terminal: its size is the program's business.
      className="absolute inset-x-0 bottom-10 z-10 mx-auto flex w-96 max-w-[calc(100%-2rem)] items-center gap-3 rounded-md border border-line bg-surface px-3 py-2 shadow-xl"
    >
      <ClipboardPaste aria-hidden className="size-4 shrink-0 text-accent" />
      <div className="min-w-0 flex-1">
        <p className="truncate tabular-nums">
          Pasting: {formatBytes(written)} of {formatBytes(total)}
        </p>
        <div
          role="progressbar"
          aria-label={`Pasting into ${session.name}`}
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuenow={Math.floor((written / total) * 100)}
          className="mt-1 h-1.5 overflow-hidden rounded-full bg-raised"
        >
          <div className="h-full bg-accent" style={{ width: `${(written / total) * 100}%` }} />
        </div>
      </div>
      <button type="button" className="button h-7" onClick={() => actions.cancelPaste(session)}>
        Cancel
      </button>
    </div>
  );
}
