/** Builds the page's parts outside React and hands them to it. */

import { createContext, useContext } from 'react';
import { arrivedToken, watchFragment } from './net/arrival';
import { Client } from './net/client';
import { type Connection, type Socket, wakeOnPageEvents } from './net/connection';
import { Gate } from './net/gate';
import { startMonitor } from './net/monitor';
import { Actions } from './state/actions';
import { rememberedActive } from './state/activeTab';
import { type AppState, initialState } from './state/appState';
import { Store } from './state/store';
import { DesktopNotices } from './state/desktopNotices';
import { keepNews, watchSessions } from './state/sessionWatch';
import { openSettings, type Settings } from './state/settings';
import { rememberedOrder } from './state/tabOrder';
import { loadGpuRenderer } from './terminal/gpu';
import { dressPage, type Look, watchLook } from './terminal/look';
import { Screens } from './terminal/screens';

export interface App {
  readonly store: Store<AppState>;
  readonly screens: Screens;
  readonly actions: Actions;
  readonly gate: Gate;
  readonly settings: Store<Settings>;
  readonly look: Store<Look>;
}

export function startApp(): App {
  void loadGpuRenderer();
  const store = new Store<AppState>({ ...initialState, activeId: rememberedActive(), order: rememberedOrder() });
  const settings = openSettings();
  const look = watchLook(settings);
  dressPage(look);
  const screens = new Screens(look);
  const client = new Client(store, screens, openSocket, (reason) => void gate.refused(reason));
  const gate = watchLogin(store, client);
  const actions = new Actions(store, client);
  countRestartsOnConnect(store, actions);
  const notices = new DesktopNotices(store, settings, (sessionId) => actions.select(sessionId));
  watchSessions(store, (news) => {
    keepNews(store, news);
    notices.tell(news);
    // Who looks at it sees it.
    const { session, kind } = news;
    if (kind === 'waiting' && !(document.hasFocus() && store.get().activeId === session.id)) {
      client.notices.notify('info', `${session.name} needs you${session.needsInputMessage ? `: ${session.needsInputMessage}` : '.'}`);
    }
  });
  void gate.start(arrivedToken());
  watchFragment((token) => void gate.logIn(token));
  return { store, screens, actions, gate, settings, look };
}

/** What needs a login begins with the first, and the connection is there only while there is one. */
function watchLogin(store: Store<AppState>, client: Client): Gate {
  let connection: Connection | null = null;
  return new Gate({
    changed: (login) => store.update((state) => ({ ...state, login })),
    opened: () => {
      const isFirst = connection === null;
      connection = client.start();
      if (!isFirst) return;
      wakeOnPageEvents(connection);
      monitorWhileVisible(store);
    },
    closed: () => client.hold(),
    misplaced: () => {
      const advice = `Start it with --allow-origin ${window.location.origin}, or open the page at an address that it knows.`;
      client.notices.notify('error', `quarterdeck takes no connection from pages of this address. ${advice}`);
    },
  });
}

function openSocket(): Socket {
  const url = new URL('/ws', window.location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  return new WebSocket(url, 'quarterdeck.v1') as Socket;
}

/** Every connection may be to a server that was started since the last one. */
function countRestartsOnConnect(store: Store<AppState>, actions: Actions): void {
  let before = store.get().connection;
  store.subscribe(() => {
    const now = store.get().connection;
    if (now === before) return;
    before = now;
    if (now === 'open') void actions.countRestarts();
  });
}

function monitorWhileVisible(store: Store<AppState>): void {
  document.addEventListener('visibilitychange', startMonitor(store, () => !document.hidden));
}

export const AppContext = createContext<App | null>(null);

export function useApp(): App {
  const app = useContext(AppContext);
  if (!app) throw new Error('useApp is only for components below AppContext');
  return app;
}
