import { BellRing, CircleDot, CircleStop, CircleX, Hourglass, MessageCircleQuestionMark, Moon } from 'lucide-react';
import type { ComponentType } from 'react';
import type { Session, SessionStatus } from '../protocol/messages';
import { attentionOf } from '../state/attention';

interface Look {
  /** A shape of its own for each status: colour alone says nothing to many people. */
  readonly icon: ComponentType<{ className?: string; 'aria-hidden'?: boolean }>;
  readonly colour: string;
  readonly label: string;
}

const looks: Record<SessionStatus, Look> = {
  active: { icon: CircleDot, colour: 'text-ok', label: 'running' },
  waiting: { icon: MessageCircleQuestionMark, colour: 'text-warning-text', label: 'waiting for you' },
  idle: { icon: Moon, colour: 'text-muted', label: 'idle' },
  error: { icon: CircleX, colour: 'text-error-text', label: 'failed' },
  stopped: { icon: CircleStop, colour: 'text-muted', label: 'ended' },
};

export function statusLabel(session: Session): string {
  return looks[session.status].label;
}

export function StatusIcon({ session }: { session: Session }) {
  const { icon: Icon, colour } = looks[session.status];
  return <Icon aria-hidden className={`size-4 shrink-0 ${colour}`} />;
}

/** A mark of its own for a session that a person should look at. */
export function AttentionBadge({ session }: { session: Session }) {
  const need = attentionOf(session);
  if (!need) return null;
  const Icon = need === 'waiting' ? BellRing : Hourglass;
  return (
    <span
      data-testid="attention"
      title={need === 'waiting' ? (session.needsInputMessage ?? 'It waits for you') : 'It has printed nothing for long'}
      className="inline-flex shrink-0 items-center gap-1 rounded-full bg-banner px-1.5 py-px text-xs font-semibold text-banner-ink"
    >
      <Icon aria-hidden className="size-3" />
      {need === 'waiting' ? 'needs you' : 'stuck'}
    </span>
  );
}
