import { useEffect, useState } from 'react';
import { useApp } from '../app';
import { sessionProcesses } from '../net/api';
import { Poller } from '../net/poller';
import type { ProcessList } from '../protocol/messages';

const INTERVAL_MS = 3_000;

/** Who runs in a session, asked for as long as the caller is on show and the page is connected and can be seen. */
export function useProcesses(sessionId: string): ProcessList | null {
  const { store } = useApp();
  const [list, setList] = useState<ProcessList | null>(null);
  useEffect(() => {
    const poller = new Poller(async ({ wanted }) => {
      const answer = await sessionProcesses(sessionId);
      if (wanted()) setList(answer);
    }, INTERVAL_MS);
    const watch = () => poller.switch(store.get().connection === 'open' && !document.hidden);
    const unsubscribe = store.subscribe(watch);
    document.addEventListener('visibilitychange', watch);
    watch();
    return () => {
      unsubscribe();
      document.removeEventListener('visibilitychange', watch);
      poller.switch(false);
    };
  }, [store, sessionId]);
  return list;
}
