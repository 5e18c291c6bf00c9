import { Plus, X } from 'lucide-react';
import type { KeyboardEvent } from 'react';
import { useApp } from '../app';
import { useWebSocket } from '../hooks/useWebSocket';
import type { Session } from '../protocol/messages';
import { joinCommandLine } from '../state/commandLine';
import { StatusIcon, statusLabel } from './status';

export const tabId = (sessionId: string) => `tab-${sessionId}`;
export const panelId = (sessionId: string) => `panel-${sessionId}`;

interface Props {
  onCreate(): void;
  onDestroy(session: Session): void;
  /** A tab was chosen to be worked in, by click or Enter. */
  onEnter(session: Session): void;
}

/**
 * The tabs pattern of the WAI-ARIA practices with automatic activation: one
 * stop in the tab order, arrows move, Delete destroys.
 */
export function SessionTabs({ onCreate, onDestroy, onEnter }: Props) {
  const { actions } = useApp();
  const { sessions, activeId } = useWebSocket();

  const goTo = (session: Session | undefined) => {
    if (!session) return;
    actions.select(session.id);
    document.getElementById(tabId(session.id))?.focus();
  };
  const onKeyDown = (event: KeyboardEvent, index: number) => {
    const last = sessions.length - 1;
    const targets: Record<string, number> = {
      ArrowLeft: index === 0 ? last : index - 1,
      ArrowRight: index === last ? 0 : index + 1,
      Home: 0,
      End: last,
    };
    const target = targets[event.key];
    const session = sessions[index];
    if (target !== undefined) goTo(sessions[target]);
    else if (event.key === 'Delete' && session) onDestroy(session);
    else return;
    event.preventDefault();
  };

  return (
    <nav aria-label="Sessions" className="flex h-10 shrink-0 items-end gap-1 border-b border-surface bg-deep px-2">
      <div role="tablist" aria-label="Sessions" className="flex min-w-0 items-end gap-1 overflow-x-auto">
        {sessions.map((session, index) => (
          <Tab
            key={session.id}
            session={session}
            selected={session.id === activeId}
            onSelect={() => onEnter(session)}
            onKeyDown={(event) => onKeyDown(event, index)}
            onDestroy={() => onDestroy(session)}
          />
        ))}
      </div>
      <button type="button" className="icon-button mb-1 shrink-0" aria-label="New session" title="New session" onClick={onCreate}>
        <Plus aria-hidden className="size-4" />
      </button>
    </nav>
  );
}

interface TabProps {
  session: Session;
  selected: boolean;
  onSelect(): void;
  onKeyDown(event: KeyboardEvent): void;
  onDestroy(): void;
}

function Tab({ session, selected, onSelect, onKeyDown, onDestroy }: TabProps) {
  const look = selected
    ? 'border-surface border-t-accent bg-surface text-bright'
    : 'border-transparent text-muted hover:bg-surface/60 hover:text-text';
  return (
    <div role="presentation" className={`group flex h-9 max-w-60 items-center rounded-t-md border border-b-0 border-t-2 ${look}`}>
      <button
        type="button"
        role="tab"
        id={tabId(session.id)}
        aria-selected={selected}
        aria-controls={panelId(session.id)}
        tabIndex={selected ? 0 : -1}
        title={`${joinCommandLine(session.command)} in ${session.workingDirectory} (${statusLabel(session)})`}
        className="flex h-full min-w-0 items-center gap-2 rounded-t-md pr-1 pl-3 -outline-offset-2"
        onClick={onSelect}
        onKeyDown={onKeyDown}
      >
        <StatusIcon session={session} />
        <span className="truncate">{session.name}</span>
        <span className="sr-only">, {statusLabel(session)}</span>
      </button>
      {/* For the mouse only: a tablist may hold nothing but tabs. Keyboards have Delete and the panel's button. */}
      <button
        type="button"
        aria-hidden
        tabIndex={-1}
        title={`Destroy ${session.name}`}
        className={`icon-button mr-1 size-6 ${selected ? '' : 'opacity-0 group-hover:opacity-100'}`}
        onClick={onDestroy}
      >
        <X className="size-3.5" />
      </button>
    </div>
  );
}
