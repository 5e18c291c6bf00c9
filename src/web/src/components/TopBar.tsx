import { Layers, LoaderCircle, MemoryStick, Plug, ShipWheel, TriangleAlert, Unplug } from 'lucide-react';
import { useApp } from '../app';
import { useWebSocket } from '../hooks/useWebSocket';
import type { ResourceState } from '../protocol/messages';

export function TopBar() {
  const { sessions, resource } = useWebSocket();
  return (
    <header className="flex h-11 shrink-0 items-center gap-5 border-b border-surface px-4">
      <h1 className="flex items-center gap-2 text-base font-semibold tracking-tight text-bright">
        <ShipWheel aria-hidden className="size-5 text-accent" />
        quarterdeck
      </h1>
      <div className="ml-auto flex items-center gap-5 text-muted">
        {resource && <Memory resource={resource} />}
        <span className="flex items-center gap-1.5" title="Sessions that run or can be resumed, and the most there may be">
          <Layers aria-hidden className="size-4" />
          <span className="tabular-nums" data-testid="session-count">
            {sessions.length}
            {resource && `/${resource.maxSessions}`}
          </span>
          <span className="sr-only">sessions</span>
        </span>
        <ConnectionState />
      </div>
    </header>
  );
}

const memoryColours = { normal: '', warning: 'text-warning', critical: 'text-error-text' } as const;

function Memory({ resource }: { resource: ResourceState }) {
  const level = resource.memoryLevel;
  return (
    <span className={`flex items-center gap-1.5 ${memoryColours[level]}`} title={`Memory in use: ${level}`}>
      {level === 'normal' ? <MemoryStick aria-hidden className="size-4" /> : <TriangleAlert aria-hidden className="size-4" />}
      <span className="sr-only">Memory</span>
      <span className="tabular-nums">{Math.round(resource.memoryUsagePercent)} %</span>
      {level !== 'normal' && <span>{level}</span>}
    </span>
  );
}

function ConnectionState() {
  const { actions } = useApp();
  const { connection } = useWebSocket();
  return (
    <span className="flex items-center gap-2">
      <span role="status" className="flex items-center gap-1.5" data-testid="connection" data-phase={connection}>
        {connection === 'open' && (
          <>
            <Plug aria-hidden className="size-4 text-ok" /> Connected
          </>
        )}
        {connection === 'connecting' && (
          <>
            <LoaderCircle aria-hidden className="size-4 animate-spin text-accent" /> Connecting
          </>
        )}
        {connection === 'waiting' && (
          <>
            <Unplug aria-hidden className="size-4 text-warning" /> <span className="text-warning">Not connected, trying again</span>
          </>
        )}
      </span>
      {connection === 'waiting' && (
        <button type="button" className="button h-7" onClick={() => actions.retryNow()}>
          Try now
        </button>
      )}
    </span>
  );
}
