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
  const take = async (kib) => {
    await server.type(session.id, `${kib}\n`);
    await says('took', ++took);
  };
  /** Takes memory until so much of the limit is used. */
  const fillTo = async (percent) => {
    const { memoryUsedBytes, memoryLimitBytes } = await server.get('/api/resources');
    await take(Math.max(0, Math.round(((memoryLimitBytes * percent) / 100 - memoryUsedBytes) / 1024)));
  };
  return {
    fillTo,
    /** The same in steps so small that the level beginning there is entered with just this percentage. */
    async creepTo(percent, level) {
      await fillTo(percent - 1);
      await until(`memory to be at level ${level}`, async () => {
        const { memoryUsagePercent, memoryLevel } = await server.get('/api/resources');
        // The figure moves by itself, too; two samples in a row decide.
        if (memoryUsagePercent < percent + 0.1) await take(256);
        return memoryLevel === level;
      });
    },
    end: () => server.destroy(session.id),
  };
}
