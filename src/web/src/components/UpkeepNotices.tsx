import { BrushCleaning, RotateCw } from 'lucide-react';
import type { ReactNode } from 'react';
import { useApp } from '../app';
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

/** Its title in words for whoever has no mouse to point at it. */
function Chip({ title, text, children }: { title: string; text: string; children: ReactNode }) {
  const { actions } = useApp();
  return (
    <button
      type="button"
      title={title}
      className="flex h-6 min-w-6 items-center justify-center gap-1.5 rounded-full bg-surface px-2.5 text-xs text-text hover:bg-raised"
      onClick={() => actions.say(title)}
    >
      {children}
      <span className="truncate max-xl:sr-only">{text}</span>
    </button>
  );
}
