import { CaseSensitive, ChevronDown, ChevronUp, Regex, X } from 'lucide-react';
import { type KeyboardEvent, type ReactNode, useEffect, useRef, useState } from 'react';
import { useApp } from '../app';
import { useLook } from '../hooks/useSettings';
import { searchColours } from '../terminal/theme';

/** Searches the scrollback of one terminal. Enter: previous match (upwards, as output grows down), Shift+Enter: next. */
export function SearchBar({ sessionId, onClose }: { sessionId: string; onClose(): void }) {
  const { screens } = useApp();
  const { theme } = useLook();
  const search = screens.get(sessionId)?.search;
  const input = useRef<HTMLInputElement>(null);
  const [term, setTerm] = useState('');
  const [caseSensitive, setCaseSensitive] = useState(false);
  const [regex, setRegex] = useState(false);
  const [result, setResult] = useState({ resultIndex: -1, resultCount: 0 });
  const badPattern = regex && !isPattern(term);

  useEffect(() => input.current?.focus(), []);
  useEffect(() => {
    const listener = search?.onDidChangeResults(setResult);
    return () => {
      listener?.dispose();
      search?.clearDecorations();
    };
  }, [search]);

  const options = { caseSensitive, regex, decorations: searchColours[theme] };
  const find = (direction: 'next' | 'previous') => {
    if (badPattern) return;
    if (direction === 'next') search?.findNext(term, options);
    else search?.findPrevious(term, options);
  };
  useEffect(() => {
    if (term === '' || badPattern) search?.clearDecorations();
    else search?.findPrevious(term, { caseSensitive, regex, decorations: searchColours[theme] });
  }, [search, term, caseSensitive, regex, badPattern, theme]);

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Escape') onClose();
    else if (event.key === 'Enter' && event.target === input.current) find(event.shiftKey ? 'next' : 'previous');
    else return;
    event.preventDefault();
  };

  return (
    <div
      role="search"
      // Over the terminal, not above it: a search must not change the size the program sees.
      className="absolute top-2 right-5 z-10 flex max-w-[calc(100%-2.5rem)] items-center gap-1 rounded-md border border-line bg-surface p-1.5 shadow-xl"
      onKeyDown={onKeyDown}
    >
      <input
        ref={input}
        type="text"
        aria-label="Search the terminal"
        aria-invalid={badPattern}
        placeholder="Search"
        spellCheck={false}
        className="field mt-0 mr-1 w-56 min-w-16 py-1"
        value={term}
        onChange={(event) => setTerm(event.target.value)}
      />
      <Toggle label="Match case" pressed={caseSensitive} onChange={setCaseSensitive}>
        <CaseSensitive aria-hidden className="size-4" />
      </Toggle>
      <Toggle label="Regular expression" pressed={regex} onChange={setRegex}>
        <Regex aria-hidden className="size-4" />
      </Toggle>
      <button type="button" className="icon-button" aria-label="Previous match" title="Previous match (Enter)" onClick={() => find('previous')}>
        <ChevronUp aria-hidden className="size-4" />
      </button>
      <button type="button" className="icon-button" aria-label="Next match" title="Next match (Shift+Enter)" onClick={() => find('next')}>
        <ChevronDown aria-hidden className="size-4" />
      </button>
      <span role="status" className="mx-2 min-w-20 max-sm:mx-1 max-sm:min-w-14 whitespace-nowrap text-muted tabular-nums" data-testid="search-result">
        {resultText(term, badPattern, result)}
      </span>
      <button type="button" className="icon-button" aria-label="Close search" title="Close search (Escape)" onClick={onClose}>
        <X aria-hidden className="size-4" />
      </button>
    </div>
  );
}

interface ToggleProps {
  label: string;
  pressed: boolean;
  onChange(pressed: boolean): void;
  children: ReactNode;
}

function Toggle({ label, pressed, onChange, children }: ToggleProps) {
  return (
    <button
      type="button"
      aria-label={label}
      aria-pressed={pressed}
      title={label}
      className={`icon-button ${pressed ? 'bg-raised text-accent' : ''}`}
      onClick={() => onChange(!pressed)}
    >
      {children}
    </button>
  );
}

function resultText(term: string, badPattern: boolean, result: { resultIndex: number; resultCount: number }): string {
  if (term === '') return '';
  if (badPattern) return 'Not a valid pattern';
  if (result.resultCount === 0) return 'No match';
  // The addon counts no position beyond its limit of highlights.
  return result.resultIndex < 0 ? `${result.resultCount}+ matches` : `${result.resultIndex + 1} of ${result.resultCount}`;
}

function isPattern(term: string): boolean {
  try {
    new RegExp(term);
    return true;
  } catch {
    return false;
  }
}
