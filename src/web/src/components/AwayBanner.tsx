import { Unplug } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useWebSocket } from '../hooks/useWebSocket';
import { isConnectionLost } from '../state/appState';

/** A server that is started again is back sooner, and is told in the top bar alone. */
const SHOWN_AFTER_MS = 1_500;

/** Says what a lost connection means, over the terminal: a size that changed with it would be the program's business. */
export function AwayBanner() {
  const lost = isConnectionLost(useWebSocket());
  const [shown, setShown] = useState(false);
  useEffect(() => {
    if (!lost) return;
    const timer = setTimeout(() => setShown(true), SHOWN_AFTER_MS);
    return () => {
      clearTimeout(timer);
      setShown(false);
    };
  }, [lost]);
  return (
    <div role="status" className="pointer-events-none absolute inset-x-0 top-0 z-10 flex justify-center px-3 pt-2">
      {lost && shown && (
        <p data-testid="away" className="flex items-center gap-2 rounded-md border border-line bg-surface px-3 py-1.5 shadow-lg">
          <Unplug aria-hidden className="size-4 shrink-0 text-warning-text" />
          The server can't be reached. Sessions go on without this page; what you type is not sent.
        </p>
      )}
    </div>
  );
}
