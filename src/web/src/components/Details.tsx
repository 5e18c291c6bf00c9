import { BrushCleaning, Circle, TriangleAlert } from 'lucide-react';
import { useWebSocket } from '../hooks/useWebSocket';
import { isRunning, type Session } from '../protocol/messages';
import { endingWithTime } from '../state/ending';
import type { SessionEvent } from '../state/events';
import { type FigurePoint, highest } from '../state/figures';
import { formatBytes, formatPercent } from '../state/format';
import { Chart } from './Chart';
import { Dialog } from './Dialog';
import { ProcessTree } from './ProcessTree';
import { statusLabel } from './status';

const NO_POINTS: readonly FigurePoint[] = [];
/** From a page of memory to more than any machine has. */
const POWERS_OF_2 = Array.from({ length: 36 }, (_, i) => 4096 * 2 ** i);
const NO_EVENTS: readonly SessionEvent[] = [];

/** One session at length. Loaded when it is asked for the first time. */
export default function Details({ session, onClose }: { session: Session; onClose(): void }) {
  const { figures, events } = useWebSocket();
  const points = figures[session.id] ?? NO_POINTS;
  return (
    <Dialog title={`Details of ${session.name}`} reading onClose={onClose}>
      <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1">
        <Fact name="Status" value={isRunning(session) ? statusLabel(session) : `${statusLabel(session)}: ${endingWithTime(session)}`} />
        <Fact name="Created" value={new Date(session.createdAt).toLocaleString()} />
        {session.startedAt && <Fact name="Started" value={new Date(session.startedAt).toLocaleString()} />}
        {session.branch && <Fact name="Branch" value={session.branch} />}
        <Fact name="Directory" value={session.workingDirectory} />
        {(session.oomKills ?? 0) > 0 && <Fact name="Killed for memory" value={`${session.oomKills} by the kernel`} />}
      </dl>
      {isRunning(session) && (
        <>
          <h3 className="mt-4 font-medium text-bright">Processes</h3>
          <ProcessTree session={session} />
        </>
      )}
      <Figures name="Memory" points={points} of={memoryOf} format={formatBytes} steps={POWERS_OF_2} />
      <Figures name="CPU, percent of one core" points={points} of={cpuOf} format={formatPercent} />
      <h3 className="mt-4 font-medium text-bright">Events since this page was opened</h3>
      <Events events={events[session.id] ?? NO_EVENTS} />
      <div className="mt-4 flex justify-end">
        <button type="button" className="button-primary" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  );
}

const memoryOf = (point: FigurePoint) => point.memoryBytes;
const cpuOf = (point: FigurePoint) => point.cpuPercent;

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <>
      <dt className="text-muted">{name}</dt>
      <dd className="min-w-0 break-words">{value}</dd>
    </>
  );
}

interface FiguresProps {
  name: string;
  points: readonly FigurePoint[];
  of(point: FigurePoint): number | null;
  format(value: number | null): string;
  /** What lies between two lines of the chart may be one of these. */
  steps?: number[];
}

function Figures({ name, points, of, format, steps }: FiguresProps) {
  const values = points.map(of);
  const known = values.some((value) => value !== null);
  // One reading has no course, nor an axis of time to draw it on.
  const drawn = values.filter((value) => value !== null).length > 1;
  const summary = known ? `now ${format(values.at(-1) ?? null)}, highest ${format(highest(values))}` : 'not known yet';
  return (
    <>
      <h3 className="mt-4 font-medium text-bright">
        {name} <span className="font-normal text-muted tabular-nums">{summary}</span>
      </h3>
      {drawn && <Chart label={`${name}: ${summary}`} points={points} of={of} format={format} steps={steps} />}
    </>
  );
}

const icons = { life: Circle, warning: TriangleAlert, cleaned: BrushCleaning };

function Events({ events }: { events: readonly SessionEvent[] }) {
  if (events.length === 0) return <p className="mt-1 text-muted">Nothing has happened to it yet.</p>;
  return (
    // Reached by keyboard, as it may be longer than its place.
    <ul tabIndex={0} aria-label="Events" className="mt-1 max-h-40 overflow-y-auto rounded-md border border-line bg-deep p-2">
      {events.toReversed().map((event, index) => {
        const Icon = icons[event.kind];
        return (
          <li key={events.length - index} className="flex items-start gap-2 py-0.5">
            <Icon aria-hidden className={`mt-0.5 size-4 shrink-0 p-px ${event.kind === 'warning' ? 'text-warning-text' : 'text-accent'}`} />
            <span className="min-w-0 flex-1 break-words">{event.text}</span>
            <time dateTime={new Date(event.unixMs).toISOString()} className="shrink-0 text-muted tabular-nums">
              {new Date(event.unixMs).toLocaleTimeString()}
            </time>
          </li>
        );
      })}
    </ul>
  );
}
