import { useSyncExternalStore } from 'react';
import { useApp } from '../app';
import type { Settings } from '../state/settings';
import type { Look } from '../terminal/look';

/** The user's settings, and the way to change some of them. */
export function useSettings(): [Settings, (change: Partial<Settings>) => void] {
  const { settings } = useApp();
  const current = useSyncExternalStore(settings.subscribe, settings.get);
  return [current, (change) => settings.update((before) => ({ ...before, ...change }))];
}

export function useLook(): Look {
  const { look } = useApp();
  return useSyncExternalStore(look.subscribe, look.get);
}
