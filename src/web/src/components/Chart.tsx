import { useEffect, useRef } from 'react';
import UPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { useLook } from '../hooks/useSettings';
import type { FigurePoint } from '../state/figures';

interface Props {
  label: string;
  points: readonly FigurePoint[];
  of(point: FigurePoint): number | null;
  format(value: number | null): string;
  steps?: number[] | undefined;
}

const HEIGHT = 120;

/** A figure over time, from 0 up; what is not known is a hole. */
export function Chart({ label, points, of, format, steps }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot | null>(null);
  const { theme } = useLook();

  useEffect(() => {
    const element = host.current;
    if (!element) return;
    const made = new UPlot(optionsFor(element, format, steps), [[], []], element);
    plot.current = made;
    const watch = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    watch.observe(element);
    return () => {
      watch.disconnect();
      made.destroy();
      plot.current = null;
    };
    // The colours are read when it is made, so another theme needs another one.
  }, [theme, format, steps]);

  useEffect(() => {
    plot.current?.setData([points.map(({ unixMs }) => unixMs / 1_000), points.map(of)]);
  }, [points, of, theme, format, steps]);

  return <div ref={host} role="img" aria-label={label} data-points={points.length} className="mt-1" style={{ height: HEIGHT }} />;
}

function optionsFor(element: HTMLElement, format: Props['format'], steps: number[] | undefined): UPlot.Options {
  const colour = (name: string) => getComputedStyle(element).getPropertyValue(`--color-${name}`).trim();
  const axis = { stroke: colour('muted'), grid: { stroke: colour('line'), width: 0.5 }, ticks: { show: false } };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    scales: { y: { range: (_plot, _low, high) => [0, high > 0 ? high * 1.1 : 1] } },
    axes: [
      { ...axis, size: 28, space: 90, values: (_plot, ticks) => ticks.map((tick) => new Date(tick * 1_000).toLocaleTimeString()) },
      { ...axis, size: 70, ...(steps ? { incrs: steps } : {}), values: (_plot, ticks) => ticks.map((tick) => format(tick)) },
    ],
    series: [{}, { stroke: colour('accent'), width: 1.5, points: { show: false }, fill: `color-mix(in srgb, ${colour('accent')} 25%, transparent)` }],
  };
}
