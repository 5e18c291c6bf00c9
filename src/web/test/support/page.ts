import { Client } from '../../src/net/client';
import type { ScreenHooks, ScreenHost } from '../../src/net/screenHost';
import type { StreamSink } from '../../src/net/sessionStream';
import { Actions } from '../../src/state/actions';
import { type AppState, initialState } from '../../src/state/appState';
import { Store } from '../../src/state/store';
import { FakeSocket } from './fakeSocket';

/** A terminal that keeps what it is given and parses when told to. */
export class FakeScreen implements StreamSink {
  text = '';
  resets = 0;
  size = [0, 0];
  private readonly pending: (() => void)[] = [];
  private readonly decoder = new TextDecoder();

  constructor(readonly hooks: ScreenHooks) {}

  write(bytes: Uint8Array, done: () => void): void {
    const text = this.decoder.decode(bytes, { stream: true });
    this.pending.push(() => {
      this.text += text;
      done();
    });
  }

  skipped(bytes: number, done: () => void): void {
    this.pending.push(() => {
      this.text += `<${bytes} skipped>`;
      done();
    });
  }

  resize(cols: number, rows: number): void {
    this.size = [cols, rows];
  }

  detached(): void {}

  reset(): void {
    this.pending.push(() => {
      this.text = '';
      this.resets++;
    });
  }

  /** Parses the next `count` writes; all without a number. */
  parse(count = this.pending.length): void {
    for (const step of this.pending.splice(0, count)) step();
  }

  type(text: string): void {
    this.hooks.input(new TextEncoder().encode(text));
  }

  paste(text: string, closing = ''): void {
    const encoder = new TextEncoder();
    this.hooks.paste({ bytes: encoder.encode(text + closing), closing: encoder.encode(closing) });
  }
}

class FakeScreens implements ScreenHost {
  readonly all = new Map<string, FakeScreen>();

  create(sessionId: string, hooks: ScreenHooks): FakeScreen {
    const screen = new FakeScreen(hooks);
    this.all.set(sessionId, screen);
    return screen;
  }

  remove(sessionId: string): void {
    this.all.delete(sessionId);
  }

  attached(): void {}

  fit(): void {}
}

export function sessionNamed(id: string, change: object = {}) {
  return {
    id,
    name: id,
    status: 'active',
    command: ['sh'],
    workingDirectory: '/',
    cols: 80,
    rows: 24,
    createdAt: `2026-01-01T00:00:00.00${id.length}Z`,
    ...change,
  };
}

/** The whole page below React, with a socket whose other end is the test. */
export function openPage() {
  const sockets: FakeSocket[] = [];
  const store = new Store<AppState>(initialState);
  const screens = new FakeScreens();
  const client = new Client(store, screens, () => {
    const socket = new FakeSocket();
    sockets.push(socket);
    return socket;
  });
  client.start();
  const socket = () => sockets[sockets.length - 1]!;
  return {
    client,
    actions: new Actions(store, client),
    store,
    sockets,
    socket,
    screen: (id: string) => screens.all.get(id)!,
    screens: screens.all,
    /** Opens the newest socket; the server lists these sessions. */
    connect(...sessions: object[]): void {
      socket().open();
      socket().control({ type: 'session.list', sessions, generation: 1 });
    },
    attached(sessionId: string, channel: number, offset: number, head: number): void {
      socket().control({ type: 'session.attached', sessionId, channel, offset, head, oldest: 0, cols: 100, rows: 30 });
    },
    notices: () => store.get().notices.map((notice) => notice.text),
  };
}
