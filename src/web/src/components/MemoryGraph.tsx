import { GRAPH_HEIGHT, GRAPH_WIDTH, graphPaths } from '../state/graph';
import { HISTORY_SECONDS, type HistoryPoint } from '../state/resources';
import { CRITICAL_PERCENT, WARN_PERCENT } from './MemoryGauge';

/** Memory of the last ten minutes, with the two thresholds as lines. */
export function MemoryGraph({ history }: { history: readonly HistoryPoint[] }) {
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
      <title>{`${label}. The lines are at ${WARN_PERCENT} % and ${CRITICAL_PERCENT} %.`}</title>
      <path d={area} className="fill-accent/25" />
      <path d={line} className="fill-none stroke-accent" strokeWidth="1.25" vectorEffect="non-scaling-stroke" />
      <Threshold percent={WARN_PERCENT} colour="stroke-warning" />
      <Threshold percent={CRITICAL_PERCENT} colour="stroke-error" />
    </svg>
  );
}

function Threshold({ percent, colour }: { percent: number; colour: string }) {
  const y = GRAPH_HEIGHT - percent;
  return <line data-percent={percent} x1="0" x2={GRAPH_WIDTH} y1={y} y2={y} className={colour} shapeRendering="crispEdges" vectorEffect="non-scaling-stroke" />;
}
