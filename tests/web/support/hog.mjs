// A session that takes memory as it is told.

import { until } from './until.mjs';

/** Each line it reads is a number of KiB to keep. */
const SCRIPT = '$| = 1; print "ready\\n"; while (<STDIN>) { push @all, "x" x ($_ * 1024); print "took\\n" }';

export async function startHog(server) {
  const { session } = await server.post('/api/sessions', { name: 'hog', command: ['perl', '-e', SCRIPT] });
  const says = (text, times) =>
    until(`the hog to say ${text}`, async () => (await server.output(session.id)).split(text).length - 1 === times);
  await says('ready', 1);
  let took = 0;
  return {
    /** Takes memory until so much of the limit is used. */
    async fillTo(percent) {
      const { memoryUsedBytes, memoryLimitBytes } = await server.get('/api/resources');
      const missing = Math.round((memoryLimitBytes * percent) / 100 - memoryUsedBytes);
      await server.type(session.id, `${Math.max(0, Math.round(missing / 1024))}\n`);
      await says('took', ++took);
    },
    end: () => server.destroy(session.id),
  };
}
