import { LoaderCircle, Plug, Unplug } from 'lucide-react';
import { useApp } from '../app';
import { useWebSocket } from '../hooks/useWebSocket';
import { isConnectionLost } from '../state/appState';

export function ConnectionState() {
  const { actions } = useApp();
  const state = useWebSocket();
  const { connection } = state;
  const lost = isConnectionLost(state);
  return (
    <span className="flex items-center gap-2">
      <span role="status" className="flex items-center gap-1.5 whitespace-nowrap" data-testid="connection" data-phase={connection}>
        {connection === 'open' && (
          <>
            <Plug aria-hidden className="size-4 text-ok" /> <span className="max-md:sr-only">Connected</span>
          </>
        )}
        {connection === 'connecting' && !lost && (
          <>
            <LoaderCircle aria-hidden className="size-4 animate-spin text-accent" /> <span className="max-md:sr-only">Connecting</span>
          </>
        )}
        {lost && (
          <>
            <Unplug aria-hidden className="size-4 text-warning-text" />
            <span className="text-warning-text max-sm:sr-only">
              Not connected<span className="max-xl:sr-only">, trying again</span>
            </span>
          </>
        )}
      </span>
      {lost && (
        <button type="button" className="button h-7" onClick={() => actions.retryNow()}>
          Try now
        </button>
      )}
    </span>
  );
}
