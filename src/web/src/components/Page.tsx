import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { flushSync } from 'react-dom';
import { useApp } from '../app';
import { type Shortcuts, useShortcuts } from '../hooks/useShortcuts';
import { useSessionList } from '../hooks/useSessionList';
import { useTitle } from '../hooks/useTitle';
import { useWebSocket } from '../hooks/useWebSocket';
import { isRunning, type Session } from '../protocol/messages';
import { withFontStep } from '../state/settings';
import { copyText } from '../terminal/clipboard';
import { AwayBanner } from './AwayBanner';
import { DestroyDialog } from './DestroyDialog';
import { EmptyState } from './EmptyState';
import { Notices } from './Notices';
import { ResourceBanner } from './ResourceBanner';
import { SessionList } from './SessionList';
import { SessionModal } from './SessionModal';
import { tabId } from './SessionTab';
import { SessionTabs } from './SessionTabs';
import { Terminal } from './Terminal';
import { TopBar } from './TopBar';

type OpenDialog = { kind: 'create' } | { kind: 'destroy'; session: Session } | null;

export function Page() {
  const { actions, screens, settings, store } = useApp();
  const { listed, sessions, activeId } = useWebSocket();
  const [dialog, setDialog] = useState<OpenDialog>(null);
  const [searching, setSearching] = useState(false);
  const [listOpen, toggleList] = useSessionList();

  useTitle();

  const shortcuts = useMemo<Shortcuts>(() => {
    const activeScreen = () => screens.get(store.get().activeId ?? '');
    return {
      search: () => setSearching(true),
      copy: () => {
        copyText(activeScreen()?.terminal.getSelection() ?? '').catch((error: unknown) => actions.report(error));
      },
      fontStep: (step) => settings.update((current) => withFontStep(current, step)),
      nextTab: () => actions.selectNeighbour(1),
      previousTab: () => actions.selectNeighbour(-1),
      tabAt: (index) => actions.selectAt(index),
      focusBars: () => document.querySelector<HTMLElement>('[role=tabpanel]:not([hidden]) [data-bars] button')?.focus(),
      focusTabs: () => document.getElementById(tabId(store.get().activeId ?? ''))?.focus(),
    };
  }, [actions, screens, settings, store]);
  useShortcuts(shortcuts);

  const focusTerminal = useCallback(() => screens.get(store.get().activeId ?? '')?.focus(), [screens, store]);
  // A closing dialog gives the focus back to its opener; the terminal's turn is after that.
  const focusWhenClosed = useRef(false);
  useEffect(() => {
    if (dialog !== null || !focusWhenClosed.current) return;
    focusWhenClosed.current = false;
    focusTerminal();
  }, [dialog, focusTerminal]);
  // With the last session went what had the keyboard.
  const hadSessions = useRef(false);
  useEffect(() => {
    if (sessions.length > 0) hadSessions.current = true;
    else if (hadSessions.current && dialog === null && document.activeElement === document.body) {
      document.querySelector<HTMLElement>('main button')?.focus();
    }
  }, [sessions, dialog]);
  const closeDialog = (done: boolean) => {
    focusWhenClosed.current = done;
    setDialog(null);
  };

  const enter = (session: Session) => {
    // A terminal that is not on show yet can't take the keyboard.
    flushSync(() => actions.select(session.id));
    focusTerminal();
  };
  const destroy = (session: Session) => {
    if (isRunning(session) || session.status === 'idle' || session.worktreePath) setDialog({ kind: 'destroy', session });
    else actions.destroy(session).catch((error: unknown) => actions.report(error));
  };
  const closeSearch = () => {
    setSearching(false);
    focusTerminal();
  };

  return (
    <div className="flex h-full flex-col">
      <ResourceBanner />
      <TopBar />
      {sessions.length > 0 && (
        <SessionTabs
          listOpen={listOpen}
          onToggleList={toggleList}
          onCreate={() => setDialog({ kind: 'create' })}
          onDestroy={destroy}
          onEnter={enter}
        />
      )}
      <div className="flex min-h-0 flex-1">
        {sessions.length > 0 && listOpen && <SessionList onEnter={enter} />}
        <main className="relative min-h-0 min-w-0 flex-1">
          {sessions.length === 0 && <EmptyState listed={listed} onCreate={() => setDialog({ kind: 'create' })} />}
          {sessions.map((session) => (
            <Terminal
              key={session.id}
              session={session}
              active={session.id === activeId}
              searching={searching}
              onSearch={setSearching}
              onSearchClose={closeSearch}
              onDestroy={destroy}
            />
          ))}
          <AwayBanner />
        </main>
      </div>
      <Notices />
      {dialog?.kind === 'create' && <SessionModal onClose={closeDialog} />}
      {dialog?.kind === 'destroy' && <DestroyDialog session={dialog.session} onClose={closeDialog} />}
    </div>
  );
}
