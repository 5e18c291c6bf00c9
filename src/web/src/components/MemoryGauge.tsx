import { AlertTriangle, MemoryStick } from 'lucide-react';
import type { MemoryLevel, ResourceState } from '../protocol/messages';
import { formatBytes, formatPercent } from '../state/format';

const looks: Record<MemoryLevel, { bar: string; text: string; word: string }> = {
  normal: { bar: 'bg-accent', text: 'text-text', word: '' },
  warning: { bar: 'bg-warning', text: 'text-warning-text', word: 'high' },
  critical: { bar: 'bg-error', text: 'text-error-text', word: 'critical' },
};

/** Memory in use as a bar and in words; the level shows by colour, icon and word. */
export function MemoryGauge({ resource }: { resource: ResourceState }) {
  const { memoryUsedBytes, memoryLimitBytes, memoryUsagePercent: percent, memoryLevel, warnPercent, criticalPercent } = resource;
  const look = looks[memoryLevel];
  const Icon = memoryLevel === 'normal' ? MemoryStick : AlertTriangle;
  const amounts = `${formatBytes(memoryUsedBytes)} of ${formatBytes(memoryLimitBytes)}`;
  const words = `${amounts}, ${formatPercent(percent)}${look.word && `, ${look.word}`}`;
  return (
    <div
      role="meter"
      aria-label="Memory"
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.min(100, Math.round(percent))}
      aria-valuetext={words}
      data-testid="memory"
      data-level={memoryLevel}
      title={`Memory in use, without what the kernel can drop: ${words}`}
      className={`flex items-center gap-2 ${look.text}`}
    >
      <Icon aria-hidden className="size-4 shrink-0" />
      <span className="relative h-2 w-20 overflow-hidden rounded-full bg-raised max-md:hidden">
        <span className={`absolute inset-y-0 left-0 rounded-full ${look.bar}`} style={{ width: `${Math.min(100, percent)}%` }} />
        {[warnPercent, criticalPercent].map((mark) => (
          <span key={mark} className="absolute inset-y-0 w-px bg-deep/70" style={{ left: `${mark}%` }} />
        ))}
      </span>
      <span className="whitespace-nowrap tabular-nums">
        {/* Without a connection they are old, and the way back needs the room. */}
        <span className="text-muted max-lg:hidden max-xl:group-data-[lost=true]/bar:hidden">{amounts} · </span>
        {formatPercent(percent)}
      </span>
      {look.word && <span className="font-medium max-sm:sr-only">{look.word}</span>}
    </div>
  );
}
