// The wire between browser and server, which can be cut, or left to swallow everything.

import { connect, createServer } from 'node:net';
import { once } from 'node:events';

/** Listens on this port and passes on to `url` whatever comes. */
export async function startWire(url, listen) {
  const { hostname, port } = new URL(url);
  const ends = new Set();
  let state = 'up';
  const server = createServer((near) => {
    if (state === 'cut') return near.destroy();
    const far = connect(Number(port), hostname);
    for (const [end, other] of [[near, far], [far, near]]) {
      ends.add(end);
      end.on('data', (bytes) => state !== 'silent' && other.write(bytes));
      end.on('error', () => {});
      end.on('close', () => {
        ends.delete(end);
        other.destroy();
      });
    }
  });
  server.listen(listen, '127.0.0.1');
  await once(server, 'listening');
  const drop = () => ends.forEach((end) => end.destroy());
  return {
    url: `http://127.0.0.1:${listen}`,
    /** Connections break, and new ones are refused. */
    cut: () => {
      state = 'cut';
      drop();
    },
    /** Nothing comes through any more, and nobody is told. What was swallowed is lost, so these connections never live again. */
    silence: () => void (state = 'silent'),
    mend: () => {
      if (state === 'silent') drop();
      state = 'up';
    },
    stop: () => {
      drop();
      server.close();
    },
  };
}
