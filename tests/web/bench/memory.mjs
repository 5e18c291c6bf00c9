// The page's memory over a gigabyte of output, with nothing in it that a collection would free.

import { setTimeout } from 'node:timers/promises';
import { row } from './figures.mjs';
import { FLOOD, withPage } from './rig.mjs';

const STEP = 100e6;
const STEPS = 10;
const MB = 1e6;

export async function measureMemory() {
  await withPage({ one: FLOOD, two: FLOOD, three: FLOOD, four: FLOOD }, async (bench) => {
    // A terminal that was never on show has not built all of itself.
    for (const tab of await bench.deck.tabs().all()) await tab.click();
    const used = await heap(bench.page);
    const samples = [];
    await bench.rate('output of the four terminals meanwhile', async () => {
      for (let step = 1; step <= STEPS; step++) {
        while ((await bench.outputBytes()) < step * STEP) await setTimeout(100);
        samples.push(await used());
      }
    });
    const megabytes = (bytes) => `${(bytes / MB).toFixed(1)} MB`;
    row('memory of the page after 100 MB of output', megabytes(samples[0]));
    row('memory of the page after 1 GB of output', megabytes(samples.at(-1)));
    row('memory of the page at its highest', megabytes(Math.max(...samples)));
    row('growth of it per 100 MB of output', megabytes(slope(samples)));
  });
}

/** Returns what tells the bytes of script objects, of elements and of buffers after a collection. */
async function heap(page) {
  const session = await page.context().newCDPSession(page);
  await session.send('HeapProfiler.enable');
  return async () => {
    await session.send('HeapProfiler.collectGarbage');
    const { usedSize, embedderHeapUsedSize, backingStorageSize } = await session.send('Runtime.getHeapUsage');
    return usedSize + embedderHeapUsedSize + backingStorageSize;
  };
}

/** Of the line that fits the samples best. */
function slope(samples) {
  const middle = (samples.length - 1) / 2;
  const mean = samples.reduce((sum, value) => sum + value, 0) / samples.length;
  const [above, below] = samples.reduce(([a, b], value, index) => [a + (index - middle) * (value - mean), b + (index - middle) ** 2], [0, 0]);
  return above / below;
}
