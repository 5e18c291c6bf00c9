import { GitBranch, Skull } from 'lucide-react';
import { useWebSocket } from '../hooks/useWebSocket';
import { isRunning, type ResourceState, type Session } from '../protocol/messages';
import { attentionOf, byNeed, quietFor } from '../state/attention';
import { joinCommandLine } from '../state/commandLine';
import { endingWords } from '../state/ending';
import { formatAge, formatBytes, formatPercent, UNKNOWN } from '../state/format';
import { AttentionBadge, StatusIcon, statusLabel } from './status';

export const SESSION_LIST_ID = 'session-list';

/** All sessions with their figures, those that need a person first. */
export function SessionList({ onEnter }: { onEnter(session: Session): void }) {
  const { sessions, activeId, resource } = useWebSocket();
  return (
    <aside
      id={SESSION_LIST_ID}
      aria-label="Overview of sessions"
      className="w-72 shrink-0 overflow-y-auto border-r border-surface max-md:hidden"
    >
      <ul className="flex flex-col gap-px p-1.5">
        {byNeed(sessions).map((session) => (
          <Row key={session.id} session={session} active={session.id === activeId} resource={resource} onEnter={() => onEnter(session)} />
        ))}
      </ul>
    </aside>
  );
}

/** What a session without a program uses is nothing; how it came to that is more. */
function Ending({ session }: { session: Session }) {
  const words = endingWords(session);
  return (
    <span className="w-full truncate pl-6 text-xs text-text" title={words}>
      {words}
    </span>
  );
}

interface RowProps {
  session: Session;
  active: boolean;
  resource: ResourceState | null;
  onEnter(): void;
}

function Row({ session, active, resource, onEnter }: RowProps) {
  const program = joinCommandLine(session.command);
  return (
    <li>
      <button
        type="button"
        aria-current={active}
        className={`flex w-full flex-col gap-0.5 rounded-md px-2.5 py-2 text-left -outline-offset-2 ${active ? 'bg-surface' : 'hover:bg-surface/60'}`}
        onClick={onEnter}
      >
        <span className="flex w-full items-center gap-2">
          <StatusIcon session={session} />
          <span className="min-w-0 truncate font-medium text-bright">{session.name}</span>
          <AttentionBadge session={session} />
          <span className="ml-auto shrink-0 text-xs whitespace-nowrap text-muted tabular-nums" title="Since the last output">
            <span className="sr-only">last output </span>
            {formatAge(quietFor(session, resource))}
          </span>
        </span>
        {session.branch && (
          <span className="flex w-full items-center gap-1.5 pl-6 text-xs text-muted" title={`Branch ${session.branch}`}>
            <GitBranch aria-hidden className="size-3 shrink-0" />
            <span className="sr-only">branch </span>
            <span className="truncate">{session.branch}</span>
          </span>
        )}
        <span className="flex w-full gap-1 pl-6 text-xs text-muted" title={program}>
          <span className="shrink-0">{statusLabel(session)}</span>
          <span aria-hidden>·</span>
          <span className="truncate font-mono">{program}</span>
        </span>
        {attentionOf(session) === 'waiting' && session.needsInputMessage && (
          <span className="line-clamp-2 w-full pl-6 text-xs break-words text-warning-text">{session.needsInputMessage}</span>
        )}
        {isRunning(session) ? <Figures session={session} /> : <Ending session={session} />}
      </button>
    </li>
  );
}

function Figures({ session }: { session: Session }) {
  const { memoryBytes, cpuPercent, processCount, oomKills } = session;
  return (
    <span className="grid w-full grid-cols-3 gap-1 pl-6 text-xs text-text tabular-nums">
      <Figure label="Memory" value={formatBytes(memoryBytes)} unit="" />
      <Figure label="CPU" value={formatPercent(cpuPercent)} unit="CPU" />
      <Figure label="Processes" value={String(processCount ?? UNKNOWN)} unit={processCount === 1 ? 'process' : 'proc.'} />
      {(oomKills ?? 0) > 0 && (
        <span className="col-span-3 flex items-center gap-1.5 text-error-text">
          <Skull aria-hidden className="size-3" /> {oomKills} killed by the kernel for memory
        </span>
      )}
    </span>
  );
}

function Figure({ label, value, unit }: { label: string; value: string; unit: string }) {
  return (
    <span title={label} className="whitespace-nowrap">
      <span className="sr-only">{label} </span>
      <span className={value === UNKNOWN ? 'text-muted' : ''}>{value}</span> {unit && <span aria-hidden className="text-muted">{unit}</span>}
    </span>
  );
}
