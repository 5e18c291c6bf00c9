import { ChartLine } from 'lucide-react';
import { lazy, Suspense, useState } from 'react';
import type { Session } from '../protocol/messages';

const Details = lazy(() => import('./Details'));

export function DetailsButton({ session }: { session: Session }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <button type="button" className="icon-button" aria-label="Details" aria-haspopup="dialog" title="Details: processes, memory, CPU, events" onClick={() => setOpen(true)}>
        <ChartLine aria-hidden className="size-4" />
      </button>
      {open && (
        <Suspense fallback={null}>
          <Details session={session} onClose={() => setOpen(false)} />
        </Suspense>
      )}
    </>
  );
}
