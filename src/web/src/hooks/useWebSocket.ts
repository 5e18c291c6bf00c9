import { useSyncExternalStore } from 'react';
import { useApp } from '../app';
import type { AppState } from '../state/appState';

/**
 * The page's state as the server's messages have made it. The socket itself
 * lives outside React (`net/connection.ts`), so a render can't lose it.
 */
export function useWebSocket(): AppState {
  const { store } = useApp();
  return useSyncExternalStore(store.subscribe, store.get);
}
