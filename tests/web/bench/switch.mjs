// From a click on a tab, or its key, to the frame with its terminal, while four terminals stream.

import { setTimeout } from 'node:timers/promises';
import { percentiles, quantile } from './figures.mjs';
import { FLOOD, STREAM, withPage } from './rig.mjs';

const SWITCHES = 500;

export async function measureSwitches() {
  await beside('four streams', STREAM);
  await beside('four floods', FLOOD);
}

async function beside(what, command) {
  await withPage({ one: command, two: command, three: command, four: command }, async (bench) => {
    // The first time a terminal is on show it builds itself; that is another figure.
    const click = await clicker(bench);
    const first = await switches(bench, 'click', click, bench.ids.length - 1);
    quantile(`beside ${what}: first switch to a terminal, worst`, first, 'painted', 1);
    await bench.rate(`output of the ${what} during the switches`, async () => {
      report(`beside ${what}: switch by click`, await switches(bench, 'click', click, SWITCHES));
      report(`beside ${what}: switch by key`, await switches(bench, 'keydown', (index) => bench.page.keyboard.press(`Control+${index + 1}`), SWITCHES));
    });
  });
}

/** Goes from tab to tab so many times; what the probe says of each. */
async function switches(bench, type, act, count) {
  const samples = [];
  for (let turn = 0; turn < count; turn++) {
    const index = (turn + 1) % bench.ids.length;
    // Random, so that they come at every moment of a frame.
    await setTimeout(20 + Math.random() * 40);
    samples.push(await bench.measure(type, ['switched', bench.ids[index]], () => act(index)));
  }
  return samples;
}

function report(name, samples) {
  percentiles(name, samples);
  for (const [label, share] of [['p50', 0.5], ['p99', 0.99]]) {
    quantile(`${name} without the wait for the display's tick, ${label}`, samples, 'worked', share);
  }
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
