import { useEffect } from 'react';
import { useWebSocket } from './useWebSocket';

/** The window's title: how many sessions have news, and which one is on show. */
export function useTitle(): void {
  const { sessions, activeId, unseen } = useWebSocket();
  const name = sessions.find((session) => session.id === activeId)?.name;
  const count = unseen.filter((id) => sessions.some((session) => session.id === id)).length;
  useEffect(() => {
    const title = `${count > 0 ? `(${count}) ` : ''}${name ? `${name} · ` : ''}quarterdeck`;
    // Telling the browser takes a millisecond, which a switch of tabs need not wait for.
    const timer = setTimeout(() => (document.title = title));
    return () => clearTimeout(timer);
  }, [name, count]);
}
