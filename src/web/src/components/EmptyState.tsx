import { LoaderCircle, ShipWheel } from 'lucide-react';
import { useWebSocket } from '../hooks/useWebSocket';
import { mayManage } from '../state/login';
import { NewSessionButton } from './NewSessionButton';

export function EmptyState({ listed, onCreate }: { listed: boolean; onCreate(): void }) {
  const state = useWebSocket();
  if (!listed) {
    return (
      <p className="flex h-full items-center justify-center gap-2 text-muted">
        <LoaderCircle aria-hidden className="size-4 animate-spin" /> Asking the server for its sessions…
      </p>
    );
  }
  return (
    <div className="flex h-full flex-col items-center justify-center gap-4 px-6 text-center">
      <ShipWheel aria-hidden className="size-14 text-accent" strokeWidth={1.25} />
      <h2 className="text-xl font-semibold text-bright">No sessions yet</h2>
      <p className="max-w-md text-balance text-muted">
        {mayManage(state)
          ? 'A session is a terminal in the container with its own program. It keeps running when you close this page or lose the network, and you find it here again with everything it wrote.'
          : 'With this login you see sessions that others make. They appear here by themselves.'}
      </p>
      <NewSessionButton large onCreate={onCreate} />
    </div>
  );
}
