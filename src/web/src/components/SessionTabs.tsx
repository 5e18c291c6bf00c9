import { PanelLeft } from 'lucide-react';
import { type KeyboardEvent, useState } from 'react';
import { useApp } from '../app';
import { useWebSocket } from '../hooks/useWebSocket';
import type { Session } from '../protocol/messages';
import { mayManage } from '../state/login';
import { NewSessionButton } from './NewSessionButton';
import { SESSION_LIST_ID } from './SessionList';
import { SessionTab, tabId } from './SessionTab';

interface Props {
  listOpen: boolean;
  onToggleList(): void;
  onCreate(): void;
  onDestroy(session: Session): void;
  /** A tab was chosen to be worked in, by click or Enter. */
  onEnter(session: Session): void;
}

/**
 * The tabs pattern of the WAI-ARIA practices with automatic activation: one
 * stop in the tab order, arrows move, Delete destroys. With Ctrl and Shift the
 * arrows move the tab itself.
 */
export function SessionTabs({ listOpen, onToggleList, onCreate, onDestroy, onEnter }: Props) {
  const { actions } = useApp();
  const state = useWebSocket();
  const { sessions, activeId } = state;
  const canDestroy = mayManage(state);
  const [dragged, setDragged] = useState<{ from: number; over: number } | null>(null);
  const [moved, setMoved] = useState('');

  const move = (session: Session, to: number) => {
    if (to < 0 || to >= sessions.length) return;
    actions.move(session.id, to);
    setMoved(`${session.name} is now tab ${to + 1} of ${sessions.length}.`);
  };
  const onKeyDown = (event: KeyboardEvent, session: Session, index: number) => {
    const target = targetOf(event.key, index, sessions.length);
    if (event.key === 'Delete' && canDestroy) onDestroy(session);
    else if (target === undefined) return;
    else if (event.ctrlKey && event.shiftKey) move(session, index + (event.key === 'ArrowLeft' ? -1 : event.key === 'ArrowRight' ? 1 : 0));
    else {
      const next = sessions[target];
      if (next) actions.select(next.id);
      if (next) document.getElementById(tabId(next.id))?.focus();
    }
    event.preventDefault();
  };
  const dragOf = (index: number) => ({
    start: () => setDragged({ from: index, over: index }),
    over: (event: { preventDefault(): void }) => {
      // Nothing else that is dragged over the page may be dropped here.
      if (!dragged) return;
      event.preventDefault();
      if (dragged.over !== index) setDragged({ ...dragged, over: index });
    },
    drop: () => {
      const session = dragged && sessions[dragged.from];
      if (session) move(session, index);
      setDragged(null);
    },
    end: () => setDragged(null),
  });
  const markOf = (index: number) => {
    if (!dragged || dragged.over !== index || dragged.from === index) return null;
    return dragged.from > index ? 'before' : 'after';
  };

  return (
    <nav aria-label="Sessions" className="flex h-12 shrink-0 items-end gap-1 border-b border-surface bg-deep px-2">
      <button
        type="button"
        className="icon-button mr-1 mb-2 shrink-0 max-md:hidden"
        aria-label="Overview of sessions"
        aria-expanded={listOpen}
        aria-controls={listOpen ? SESSION_LIST_ID : undefined}
        title={listOpen ? 'Hide the overview' : 'Show the overview'}
        onClick={onToggleList}
      >
        <PanelLeft aria-hidden className="size-4" />
      </button>
      <div role="tablist" aria-label="Sessions" className="flex min-w-0 items-end gap-1 overflow-x-auto">
        {sessions.map((session, index) => (
          <SessionTab
            key={session.id}
            session={session}
            selected={session.id === activeId}
            mark={markOf(index)}
            drag={dragOf(index)}
            onSelect={() => onEnter(session)}
            onKeyDown={(event) => onKeyDown(event, session, index)}
            onDestroy={canDestroy ? () => onDestroy(session) : null}
          />
        ))}
      </div>
      <NewSessionButton onCreate={onCreate} />
      <span role="status" className="sr-only">
        {moved}
      </span>
    </nav>
  );
}

/** The place a key goes to, around the ends. */
function targetOf(key: string, index: number, count: number): number | undefined {
  const targets: Record<string, number> = {
    ArrowLeft: index === 0 ? count - 1 : index - 1,
    ArrowRight: index === count - 1 ? 0 : index + 1,
    Home: 0,
    End: count - 1,
  };
  return targets[key];
}
