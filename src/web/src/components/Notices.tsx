import { CircleX, Info, TriangleAlert, X } from 'lucide-react';
import { useApp } from '../app';
import { useWebSocket } from '../hooks/useWebSocket';
import type { Notice } from '../state/appState';

const looks = {
  info: { icon: Info, colour: 'border-l-accent', iconColour: 'text-accent', label: 'Note' },
  warning: { icon: TriangleAlert, colour: 'border-l-warning', iconColour: 'text-warning-text', label: 'Warning' },
  error: { icon: CircleX, colour: 'border-l-error', iconColour: 'text-error-text', label: 'Error' },
} as const;

export function Notices() {
  const { notices } = useWebSocket();
  return (
    // Always there: a live region that appears together with its text is often not read out. Above the bars below the
    // terminal, whose buttons are what one may look for just then.
    <div
      aria-live="polite"
      className="fixed right-4 bottom-[calc(var(--bars-height,0px)+1rem)] z-10 flex max-h-[60vh] w-96 max-w-[calc(100vw-2rem)] flex-col gap-2 overflow-y-auto"
    >
      {notices.map((notice) => (
        <NoticeCard key={notice.id} notice={notice} />
      ))}
    </div>
  );
}

function NoticeCard({ notice }: { notice: Notice }) {
  const { actions } = useApp();
  const { icon: Icon, colour, iconColour, label } = looks[notice.kind];
  return (
    <div className={`flex items-start gap-2 rounded-md border border-l-4 border-line bg-surface p-3 shadow-lg ${colour}`}>
      <Icon aria-label={label} className={`mt-0.5 size-4 shrink-0 ${iconColour}`} />
      <p className="min-w-0 flex-1 break-words">{notice.text}</p>
      <button type="button" className="icon-button size-6" aria-label="Dismiss" onClick={() => actions.dismiss(notice.id)}>
        <X aria-hidden className="size-3.5" />
      </button>
    </div>
  );
}
