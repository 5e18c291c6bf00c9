import { BrushCleaning, RotateCw } from 'lucide-react';
import type { ReactNode } from 'react';
import { useWebSocket } from '../hooks/useWebSocket';

/** What the server did by itself, for half a minute: processes it swept, and that it was started again. */
export function UpkeepNotices() {
  const { sweep, restart } = useWebSocket().upkeep;
  return (
    <span role="status" className="flex min-w-0 items-center gap-2">
      {sweep && (
        <Chip title={sweep.last} text={sweep.count === 1 ? '1 leftover process ended' : `${sweep.count} leftover processes ended`}>
          <BrushCleaning aria-hidden className="size-3.5 shrink-0 text-accent" />
        </Chip>
      )}
      {restart && (
        <Chip title="The API server was started again. Sessions and their output are as they were." text="Server restarted">
          <RotateCw aria-hidden className="size-3.5 shrink-0 text-accent" />
        </Chip>
      )}
    </span>
  );
}

function Chip({ title, text, children }: { title: string; text: string; children: ReactNode }) {
  return (
    <span title={title} className="flex min-w-0 items-center gap-1.5 rounded-full bg-surface px-2.5 py-0.5 text-xs text-text">
      {children}
      <span className="truncate max-xl:sr-only">{text}</span>
    </span>
  );
}
