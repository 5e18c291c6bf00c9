import type { ResourceState } from '../protocol/messages';
import { GRAPH_HEIGHT, GRAPH_WIDTH, graphPaths } from '../state/graph';
import { HISTORY_SECONDS, type HistoryPoint } from '../state/resources';

interface Props {
  history: readonly HistoryPoint[];
  resource: ResourceState;
}

/** Memory of the last ten minutes, with the two thresholds as lines. */
export function MemoryGraph({ history, resource: { warnPercent, criticalPercent } }: Props) {
  const { line, area } = graphPaths(history, HISTORY_SECONDS * 1_000);
  const percents = history.map((point) => point.percent);
  const range = `lowest ${Math.round(Math.min(...percents))} %, highest ${Math.round(Math.max(...percents))} %`;
  const label = `Memory of the last 10 minutes: ${history.length === 0 ? 'not known yet' : range}`;
  return (
    <svg
      role="img"
      aria-label={label}
      data-testid="memory-graph"
      viewBox={`0 0 ${GRAPH_WIDTH} ${GRAPH_HEIGHT}`}
      preserveAspectRatio="none"
      className="h-8 w-28 shrink-0 rounded-sm bg-surface/60 max-lg:hidden"
    >
      <title>{`${label}. The lines are at ${warnPercent} % and ${criticalPercent} %.`}</title>
      <path d={area} className="fill-accent/25" />
      <path d={line} className="fill-none stroke-accent" strokeWidth="1.25" vectorEffect="non-scaling-stroke" />
      <Threshold percent={warnPercent} colour="stroke-warning" />
      <Threshold percent={criticalPercent} colour="stroke-error" />
    </svg>
  );
}

function Threshold({ percent, colour }: { percent: number; colour: string }) {
  const y = GRAPH_HEIGHT - percent;
  return <line data-percent={percent} x1="0" x2={GRAPH_WIDTH} y1={y} y2={y} className={colour} shapeRendering="crispEdges" vectorEffect="non-scaling-stroke" />;
}
