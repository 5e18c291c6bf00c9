import { Plus } from 'lucide-react';
import { useWebSocket } from '../hooks/useWebSocket';
import { CRITICAL_TOOLTIP, isMemoryCritical } from '../state/admission';
import { mayManage } from '../state/login';

interface Props {
  /** With words beside the plus. */
  large?: boolean;
  onCreate(): void;
}

/** Opens the dialog, unless memory is so short that the server takes no session. Who may make none sees none. */
export function NewSessionButton({ large, onCreate }: Props) {
  const state = useWebSocket();
  const critical = isMemoryCritical(state);
  if (!mayManage(state)) return null;
  return (
    <button
      type="button"
      disabled={critical}
      aria-label="New session"
      title={critical ? CRITICAL_TOOLTIP : 'New session'}
      className={large ? 'button-primary h-9 px-4' : 'icon-button mb-2 shrink-0'}
      onClick={onCreate}
    >
      <Plus aria-hidden className="size-4" />
      {large && 'New session'}
    </button>
  );
}
