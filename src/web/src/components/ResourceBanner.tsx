import { AlertTriangle, X } from 'lucide-react';
import { useApp } from '../app';
import { useWebSocket } from '../hooks/useWebSocket';

/** Says above everything that memory runs short, until it is dismissed or the level changes. */
export function ResourceBanner() {
  const { actions } = useApp();
  const { alert } = useWebSocket();
  const shown = alert?.dismissed ? null : alert;
  return (
    // Always there: a live region that appears together with its text is often not read out.
    <div
      role="status"
      data-testid="resource-banner"
      data-level={shown?.level}
      className={shown ? 'flex shrink-0 items-center gap-2.5 bg-banner px-4 py-1.5 text-banner-ink' : 'sr-only'}
    >
      {shown && (
        <>
          <AlertTriangle aria-hidden className="size-4 shrink-0" strokeWidth={shown.level === 'critical' ? 2.75 : 2} />
          <p className={`min-w-0 ${shown.level === 'critical' ? 'font-bold' : 'font-medium'}`}>{shown.message}</p>
          {shown.details && <p className="min-w-0 max-sm:hidden">{shown.details}.</p>}
          <button
            type="button"
            aria-label="Dismiss the memory warning"
            title="Dismiss; it comes back when the level changes"
            className="ml-auto inline-flex size-6 shrink-0 items-center justify-center rounded-md outline-offset-0 hover:bg-black/10 focus-visible:outline-banner-ink"
            onClick={() => actions.dismissAlert()}
          >
            <X aria-hidden className="size-4" />
          </button>
        </>
      )}
    </div>
  );
}
