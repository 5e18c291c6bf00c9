import { X } from 'lucide-react';
import { type DragEvent, type KeyboardEvent, useEffect, useRef } from 'react';
import { useWebSocket } from '../hooks/useWebSocket';
import type { Session } from '../protocol/messages';
import { quietFor } from '../state/attention';
import { joinCommandLine } from '../state/commandLine';
import { formatAge } from '../state/format';
import { AttentionBadge, StatusIcon, statusLabel } from './status';

export const tabId = (sessionId: string) => `tab-${sessionId}`;
export const panelId = (sessionId: string) => `panel-${sessionId}`;

/** What a tab under the mouse is to the one being dragged. */
export interface TabDrag {
  start(): void;
  over(event: DragEvent): void;
  drop(): void;
  end(): void;
}

interface Props {
  session: Session;
  selected: boolean;
  /** Where a dragged tab would go if it were dropped here. */
  mark: 'before' | 'after' | null;
  drag: TabDrag;
  onSelect(): void;
  onKeyDown(event: KeyboardEvent): void;
  /** Null for who may destroy none. */
  onDestroy: (() => void) | null;
}

export function SessionTab({ session, selected, mark, drag, onSelect, onKeyDown, onDestroy }: Props) {
  const { resource } = useWebSocket();
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const tab = element.current;
    if (!selected || !tab?.parentElement) return;
    // Its first call, once both have their place, is for the selection itself.
    const observer = new ResizeObserver(() => tab.scrollIntoView({ block: 'nearest', inline: 'nearest' }));
    observer.observe(tab);
    observer.observe(tab.parentElement);
    return () => observer.disconnect();
  }, [selected]);
  const look = selected
    ? 'border-surface border-t-accent bg-surface text-bright'
    : 'border-transparent text-muted hover:bg-surface/60 hover:text-text';
  const marked = mark === 'before' ? 'border-l-accent!' : mark === 'after' ? 'border-r-accent!' : '';
  return (
    <div
      ref={element}
      role="presentation"
      draggable
      className={`group relative flex h-11 max-w-64 min-w-36 max-sm:shrink-0 items-center rounded-t-md border-x-2 border-t-2 ${look} ${marked}`}
      onDragStart={(event) => {
        event.dataTransfer.effectAllowed = 'move';
        // Firefox drags nothing that carries no data.
        event.dataTransfer.setData('text/plain', session.name);
        drag.start();
      }}
      onDragOver={drag.over}
      onDrop={(event) => {
        event.preventDefault();
        drag.drop();
      }}
      onDragEnd={drag.end}
    >
      <button
        type="button"
        role="tab"
        id={tabId(session.id)}
        aria-selected={selected}
        aria-controls={panelId(session.id)}
        tabIndex={selected ? 0 : -1}
        title={`${joinCommandLine(session.command)} in ${session.workingDirectory} (${statusLabel(session)})`}
        className="flex h-full min-w-0 flex-1 items-center gap-2 rounded-t-md pr-1 pl-2.5 text-left -outline-offset-2"
        onClick={onSelect}
        onKeyDown={onKeyDown}
      >
        <StatusIcon session={session} />
        <span className="flex min-w-0 flex-col leading-tight">
          <span className="flex min-w-0 items-center gap-1.5">
            <span className="truncate font-medium">{session.name}</span>
            <AttentionBadge session={session} />
          </span>
          <span className="truncate text-xs text-muted tabular-nums">
            {statusLabel(session)} · <span className="sr-only">last activity </span>
            {formatAge(quietFor(session, resource))}
          </span>
        </span>
      </button>
      {/* For the mouse only: a tablist may hold nothing but tabs. Keyboards have Delete and the panel's button. */}
      {onDestroy && (
        <button
          type="button"
          aria-hidden
          tabIndex={-1}
          title={`Destroy ${session.name}`}
          className={`icon-button mr-1 size-6 shrink-0 ${selected ? '' : 'opacity-0 group-hover:opacity-100'}`}
          onClick={onDestroy}
        >
          <X className="size-3.5" />
        </button>
      )}
    </div>
  );
}
