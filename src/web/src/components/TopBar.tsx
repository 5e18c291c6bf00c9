import { Cpu, Eye, Layers, ShipWheel } from 'lucide-react';
import { useWebSocket } from '../hooks/useWebSocket';
import type { ResourceState } from '../protocol/messages';
import { isConnectionLost } from '../state/appState';
import { formatPercent } from '../state/format';
import { ConnectionState } from './ConnectionState';
import { MemoryGauge } from './MemoryGauge';
import { MemoryGraph } from './MemoryGraph';
import { SettingsButton } from './SettingsButton';
import { UpkeepNotices } from './UpkeepNotices';

export function TopBar() {
  const state = useWebSocket();
  const { sessions, resource, history } = state;
  return (
    <header data-lost={isConnectionLost(state)} className="group/bar flex h-11 shrink-0 items-center gap-5 border-b border-surface px-4 max-sm:gap-3 max-sm:px-3">
      <h1 className="flex items-center gap-2 text-base font-semibold tracking-tight text-bright">
        <ShipWheel aria-hidden className="size-5 shrink-0 text-accent" />
        <span className="max-sm:sr-only">quarterdeck</span>
      </h1>
      {state.login.readOnly && (
        <span className="flex items-center gap-1.5 text-warning-text" title="This login may look at everything it sees, and change nothing">
          <Eye aria-hidden className="size-4" /> Read only
        </span>
      )}
      <UpkeepNotices />
      <div className="ml-auto flex items-center gap-5 text-muted max-sm:gap-3">
        {resource && (
          <>
            <MemoryGauge resource={resource} />
            <MemoryGraph history={history} resource={resource} />
            <CpuFigure resource={resource} />
          </>
        )}
        <span className="flex items-center gap-1.5" title="Sessions that run or can be resumed, and the most there may be">
          <Layers aria-hidden className="size-4" />
          <span className="tabular-nums" data-testid="session-count">
            {sessions.length}
            {resource && `/${resource.maxSessions}`}
          </span>
          <span className="sr-only">sessions</span>
        </span>
        <ConnectionState />
        <SettingsButton />
      </div>
    </header>
  );
}

function CpuFigure({ resource: { cpuPercent, cpuLimitPercent } }: { resource: ResourceState }) {
  const limit = cpuLimitPercent === undefined ? '' : `; the limit is ${formatPercent(cpuLimitPercent)}`;
  return (
    <span className="flex items-center gap-1.5 max-sm:hidden" data-testid="cpu" title={`CPU, in percent of one core${limit}`}>
      <Cpu aria-hidden className="size-4" />
      <span className="sr-only">CPU</span>
      {/* As wide as its largest value, so that the bar does not jump. */}
      <span className="min-w-[5ch] tabular-nums">{formatPercent(cpuPercent)}</span>
    </span>
  );
}
