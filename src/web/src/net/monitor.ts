/** Keeps the figures of the container and of its sessions fresh while somebody can see them. */

import type { AppState } from '../state/appState';
import { withFigurePoints } from '../state/figures';
import { HISTORY_SECONDS, withFigures, withHistory, withReading } from '../state/resources';
import type { Store } from '../state/store';
import * as api from './api';
import { Poller } from './poller';

const RESOURCES_MS = 2_000;
const SESSIONS_MS = 3_000;

/** Returns what is to be called whenever `isVisible` may answer otherwise than before. */
export function startMonitor(store: Store<AppState>, isVisible: () => boolean): () => void {
  const pollers = [resourcePoller(store), sessionPoller(store)];
  const watch = () => {
    const on = store.get().connection === 'open' && isVisible();
    for (const poller of pollers) poller.switch(on);
  };
  store.subscribe(watch);
  watch();
  return watch;
}

function resourcePoller(store: Store<AppState>): Poller {
  let pastKnown = false;
  return new Poller(async ({ first, wanted }) => {
    // The readings go on with the history by themselves; it is fetched for the time that nobody looked.
    if (first) pastKnown = false;
    const told = store.get().alert;
    const past = pastKnown ? [] : await api.resourceHistory(HISTORY_SECONDS);
    const reading = await api.resources();
    if (!wanted()) return;
    pastKnown = true;
    store.update((state) => withReading(withHistory(state, past), reading, told));
  }, RESOURCES_MS);
}

function sessionPoller(store: Store<AppState>): Poller {
  return new Poller(async ({ wanted }) => {
    const sessions = await api.listSessions();
    if (wanted()) store.update((state) => withFigurePoints(withFigures(state, sessions), sessions, Date.now()));
  }, SESSIONS_MS);
}
