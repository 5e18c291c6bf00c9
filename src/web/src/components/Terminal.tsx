import { Download, Folder, GitBranch, Maximize2, Play, Search, SquareTerminal, Trash2 } from 'lucide-react';
import { useLayoutEffect, useRef, useState } from 'react';
import { useApp } from '../app';
import { useHeightAs } from '../hooks/useHeightAs';
import { useWebSocket } from '../hooks/useWebSocket';
import { isRunning, type Session } from '../protocol/messages';
import { joinCommandLine } from '../state/commandLine';
import { endingSentence } from '../state/ending';
import { mayManage } from '../state/login';
import { DetailsButton } from './DetailsButton';
import { PasteBar } from './PasteBar';
import { SearchBar } from './SearchBar';
import { panelId, tabId } from './SessionTab';
import { StatusIcon, statusLabel } from './status';

interface Props {
  session: Session;
  active: boolean;
  searching: boolean;
  onSearch(searching: boolean): void;
  onSearchClose(): void;
  onDestroy(session: Session): void;
}

/** The panel of one session. The xterm itself lives in `terminal/screens.ts`; this only shows and hides it. */
export function Terminal({ session, active, searching, onSearch, onSearchClose, onDestroy }: Props) {
  const { screens } = useApp();
  const state = useWebSocket();
  const { pastes, foreignSizes, login } = state;
  const paste = pastes[session.id];
  const host = useRef<HTMLDivElement>(null);
  const bars = useHeightAs('--bars-height', active);

  // Before effects that measure: they would have the browser lay out what the terminal showed long ago.
  useLayoutEffect(() => {
    const screen = screens.get(session.id);
    if (!active || !screen || !host.current) return;
    screen.show(host.current);
    // The keyboard goes along, unless the user is somewhere else with it.
    const focused = document.activeElement;
    if (!focused || focused === document.body || focused.closest('.terminal-screen')) screen.focus();
    return () => screen.hide();
  }, [active, screens, session.id]);

  const running = isRunning(session);
  useLayoutEffect(() => screens.get(session.id)?.setRunning(running), [running, screens, session.id]);

  return (
    <section
      role="tabpanel"
      id={panelId(session.id)}
      aria-labelledby={tabId(session.id)}
      hidden={!active}
      className={active ? 'absolute inset-0 flex flex-col contain-strict' : ''}
    >
      {active && searching && <SearchBar sessionId={session.id} onClose={onSearchClose} />}
      <div ref={host} className="min-h-0 flex-1 overflow-hidden bg-terminal py-1 pl-2" />
      {active && paste && <PasteBar session={session} progress={paste} />}
      <div ref={bars} data-bars className="shrink-0">
        {!running && <EndedBar session={session} canResume={!login.readOnly} />}
        <footer className="flex h-8 shrink-0 items-center gap-4 border-t border-surface px-3 text-xs text-muted">
          <span className="flex shrink-0 items-center gap-1.5" data-testid="status">
            <StatusIcon session={session} /> {statusLabel(session)}
          </span>
          <span className="flex min-w-0 items-center gap-1.5 font-mono" title="Command">
            <SquareTerminal aria-hidden className="size-4 shrink-0" />
            <span className="truncate">{joinCommandLine(session.command)}</span>
          </span>
          <span className="flex min-w-0 items-center gap-1.5 font-mono" title="Directory">
            <Folder aria-hidden className="size-4 shrink-0" />
            <span className="truncate">{session.workingDirectory}</span>
          </span>
          {session.branch && (
            <span className="flex min-w-0 items-center gap-1.5 font-mono max-sm:hidden" title="Branch">
              <GitBranch aria-hidden className="size-4 shrink-0" />
              <span className="truncate">{session.branch}</span>
            </span>
          )}
          <span className="ml-auto flex shrink-0 items-center gap-1">
            <TerminalSize
              session={session}
              foreign={foreignSizes.includes(session.id)}
              onTakeOver={login.readOnly ? null : () => screens.get(session.id)?.takeOverSize()}
            />
            <button type="button" className="icon-button" aria-label="Search" title="Search (Ctrl+Shift+F)" onClick={() => onSearch(!searching)}>
              <Search aria-hidden className="size-4" />
            </button>
            <DetailsButton session={session} />
            <DownloadButton session={session} />
            {mayManage(state) && (
              <button
                type="button"
                className="icon-button"
                aria-label={`Destroy session ${session.name}`}
                title="Destroy session"
                onClick={() => onDestroy(session)}
              >
                <Trash2 aria-hidden className="size-4" />
              </button>
            )}
          </span>
        </footer>
      </div>
    </section>
  );
}

interface SizeProps {
  session: Session;
  foreign: boolean;
  /** Null for who may only look. */
  onTakeOver: (() => void) | null;
}

function TerminalSize({ session: { cols, rows }, foreign, onTakeOver }: SizeProps) {
  return (
    <>
      <span className="mr-2 tabular-nums" title="Columns and rows">
        {cols}×{rows}
      </span>
      <span role="status" className="flex items-center gap-1">
        {foreign && <span className="text-warning-text max-md:sr-only">sized by another browser</span>}
      </span>
      {foreign && onTakeOver && (
        <button type="button" className="button mr-1 h-6 px-2 text-xs" onClick={onTakeOver}>
          <Maximize2 aria-hidden className="size-3.5" /> <span className="max-md:sr-only">Take over size</span>
        </button>
      )}
    </>
  );
}

function DownloadButton({ session }: { session: Session }) {
  const { actions } = useApp();
  const [busy, setBusy] = useState(false);
  const download = async () => {
    setBusy(true);
    await actions.download(session);
    setBusy(false);
  };
  return (
    <button
      type="button"
      className="icon-button"
      aria-label="Download the output"
      title="Download the output, as the program wrote it"
      disabled={busy}
      onClick={() => void download()}
    >
      <Download aria-hidden className="size-4" />
    </button>
  );
}

function EndedBar({ session, canResume }: { session: Session; canResume: boolean }) {
  const { actions, screens } = useApp();
  const [busy, setBusy] = useState(false);
  const bar = useRef<HTMLDivElement>(null);
  // The button goes with the bar; the keyboard goes on in the terminal. At once, or keys that are pressed now get lost.
  useLayoutEffect(() => {
    const element = bar.current;
    return () => {
      if (element?.contains(document.activeElement)) screens.get(session.id)?.focus();
    };
  }, [screens, session.id]);
  const resume = async () => {
    setBusy(true);
    // In some browsers a click gives a button no focus.
    if (await actions.resume(session)) screens.get(session.id)?.focus();
    setBusy(false);
  };
  return (
    <div ref={bar} role="status" className="flex shrink-0 items-center gap-3 border-t border-line bg-surface px-4 py-2">
      <StatusIcon session={session} />
      <p className="min-w-0 flex-1">{endingSentence(session)}</p>
      {canResume && (
        <button type="button" className="button-primary" aria-disabled={busy} onClick={() => void (busy || resume())}>
          <Play aria-hidden className="size-4" /> Resume
        </button>
      )}
    </div>
  );
}
