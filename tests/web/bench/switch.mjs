// From a click on a tab, or its key, to the frame with its terminal, while four terminals stream.

import { setTimeout } from 'node:timers/promises';
import { percentiles } from './figures.mjs';
import { FLOOD, withPage } from './rig.mjs';

const SWITCHES = 500;

export async function measureSwitches() {
  await withPage({ one: FLOOD, two: FLOOD, three: FLOOD, four: FLOOD }, async (bench) => {
    await bench.rate('output of the four terminals during the switches', async () => {
      await switches(bench, 'switch by click', 'click', await clicker(bench));
      await switches(bench, 'switch by key', 'keydown', (index) => bench.page.keyboard.press(`Control+${index + 1}`));
    });
  });
}

async function switches(bench, name, type, act) {
  const samples = [];
  for (let turn = 0; turn < SWITCHES; turn++) {
    const index = (turn + 1) % bench.ids.length;
    // Random, so that they come at every moment of a frame.
    await setTimeout(20 + Math.random() * 40);
    samples.push(await bench.measure(type, ['switched', bench.ids[index]], () => act(index)));
  }
  percentiles(name, samples);
}

/** Clicks on the tab with this index, without asking the page where it is each time. */
async function clicker({ deck, page }) {
  const boxes = await Promise.all((await deck.tabs().all()).map((tab) => tab.boundingBox()));
  return async (index) => {
    const { x, y, width, height } = boxes[index];
    await page.mouse.move(x + width / 2, y + height / 2);
    await page.mouse.down();
    await page.mouse.up();
  };
}
