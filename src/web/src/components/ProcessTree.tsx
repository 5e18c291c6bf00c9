import { ChevronDown, ChevronRight, Keyboard } from 'lucide-react';
import { type KeyboardEvent, useLayoutEffect, useRef, useState } from 'react';
import { useProcesses } from '../hooks/useProcesses';
import { useWebSocket } from '../hooks/useWebSocket';
import type { ResourceState, Session } from '../protocol/messages';
import { ageOf } from '../state/attention';
import { formatAge, formatBytes, formatPercent } from '../state/format';
import { type ProcessRow, rowsOf, stepFor } from '../state/processTree';

/** Who runs in a session, children under their parents: the tree pattern of the WAI-ARIA practices. */
export function ProcessTree({ session }: { session: Session }) {
  const list = useProcesses(session.id);
  const { resource } = useWebSocket();
  const [folded, setFolded] = useState<ReadonlySet<number>>(new Set());
  const [current, setCurrent] = useState<number | null>(null);
  const tree = useRef<HTMLUListElement>(null);
  const rows = rowsOf(list?.processes ?? [], folded);
  const at = rows.some((row) => row.process.pid === current) ? current : (rows[0]?.process.pid ?? null);
  // The process with the focus may end, and its row goes with it: React tells of no blur then.
  const hadFocus = useRef(false);
  useLayoutEffect(() => {
    if (hadFocus.current && !tree.current?.contains(document.activeElement)) focusRow(tree.current, at);
  });

  if (!list) return <p className="mt-1 text-muted">Looking…</p>;
  if (rows.length === 0) return <p className="mt-1 text-muted">No process runs in it.</p>;

  const fold = (pid: number, open: boolean) => setFolded(new Set(open ? [...folded].filter((other) => other !== pid) : [...folded, pid]));
  const onKeyDown = (event: KeyboardEvent) => {
    const step = at === null ? null : stepFor(event.key, rows, at);
    if (!step) return;
    event.preventDefault();
    if ('go' in step) {
      setCurrent(step.go);
      focusRow(tree.current, step.go);
    } else if ('fold' in step) fold(step.fold, false);
    else fold(step.unfold, true);
  };
  return (
    <>
      <ul
        ref={tree}
        role="tree"
        aria-label={`Processes of ${session.name}`}
        className="mt-1 max-h-52 overflow-y-auto rounded-md border border-line bg-deep p-1"
        onKeyDown={onKeyDown}
        onFocus={() => void (hadFocus.current = true)}
        onBlur={() => void (hadFocus.current = false)}
      >
        {rows.map((row) => (
          <Row
            key={row.process.pid}
            row={row}
            current={row.process.pid === at}
            resource={resource}
            onCurrent={() => setCurrent(row.process.pid)}
            onToggle={() => fold(row.process.pid, row.open === false)}
          />
        ))}
      </ul>
      {list.truncated && (
        <p className="mt-1 text-xs text-muted">
          {list.processes.length.toLocaleString('en')} of {list.count.toLocaleString('en')} are shown, those nearest to the first one.
        </p>
      )}
    </>
  );
}

function focusRow(tree: HTMLElement | null, pid: number | null): void {
  tree?.querySelector<HTMLElement>(`[data-pid="${pid}"]`)?.focus();
}

interface RowProps {
  row: ProcessRow;
  /** The one row in the tab order. */
  current: boolean;
  resource: ResourceState | null;
  onCurrent(): void;
  onToggle(): void;
}

function Row({ row: { process, level, place, siblings, open }, current, resource, onCurrent, onToggle }: RowProps) {
  const { pid, command, state, memoryBytes, cpuPercent, startedAt, isForeground } = process;
  const Fold = open ? ChevronDown : ChevronRight;
  return (
    <li
      role="treeitem"
      aria-level={level}
      aria-posinset={place}
      aria-setsize={siblings}
      aria-expanded={open}
      tabIndex={current ? 0 : -1}
      data-pid={pid}
      className="flex items-center gap-x-2 rounded px-1 py-0.5 -outline-offset-2 max-sm:flex-wrap"
      onFocus={onCurrent}
    >
      <span className="flex min-w-0 flex-1 items-center gap-1 max-sm:basis-full" style={{ paddingLeft: `${Math.min(level - 1, 12) * 0.9}rem` }}>
        <Fold aria-hidden className={`size-3.5 shrink-0 text-muted ${open === undefined ? 'invisible' : 'cursor-pointer'}`} onClick={onToggle} />
        <span className="truncate font-mono text-xs" title={command}>
          {command}
        </span>
        {isForeground && (
          <span title="It has the keyboard of the session's terminal" className="shrink-0">
            <Keyboard aria-hidden className="size-3.5 text-accent" />
            <span className="sr-only">, in the foreground</span>
          </span>
        )}
      </span>
      <span className="flex shrink-0 gap-2 text-right text-xs text-muted tabular-nums max-sm:pl-6">
        <Fact title="What it is doing" value={state} className={state === 'zombie' || state === 'stopped' ? 'text-warning-text' : ''} />
        <Fact name="memory" title="Memory" value={formatBytes(memoryBytes)} className="w-14" />
        <Fact name="CPU" title="CPU, percent of one core" value={formatPercent(cpuPercent)} className="w-10" />
        <Fact name="started" title={`Started ${new Date(startedAt).toLocaleString()}`} value={formatAge(ageOf(startedAt, resource))} className="w-11" />
        <Fact name="process" title="Process id" value={String(pid)} className="w-14" />
      </span>
    </li>
  );
}

interface FactProps {
  /** Read out before the value; who sees it has the column. */
  name?: string;
  title: string;
  value: string;
  className: string;
}

function Fact({ name, title, value, className }: FactProps) {
  return (
    <span title={title} className={className}>
      <span className="sr-only">, {name} </span>
      {value}
    </span>
  );
}
