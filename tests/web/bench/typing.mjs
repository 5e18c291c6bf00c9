// From a key to the frame with its echo, beside three terminals that stream.

import { setTimeout } from 'node:timers/promises';
import { percentiles } from './figures.mjs';
import { FLOOD, withPage } from './rig.mjs';

const KEYS = 500;
const LINE = 'abcdefghijklmnopqrstuvwxyz0123456789';

export async function measureTyping() {
  await withPage({ typed: ['/bin/cat'], one: FLOOD, two: FLOOD, three: FLOOD }, async (bench) => {
    await bench.rate('output of the three floods meanwhile', async () => {
      const samples = [];
      for (let key = 0; key < KEYS; key++) {
        const column = key % LINE.length;
        if (column === 0) await bench.page.keyboard.press('Enter');
        // A fast typist.
        await setTimeout(40 + Math.random() * 60);
        samples.push(await bench.measure('keydown', ['echoed', LINE.slice(0, column + 1)], () => bench.page.keyboard.press(LINE[column])));
      }
      percentiles('key to its echo beside three floods', samples);
    });
  });
}
