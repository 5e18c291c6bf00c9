// Waits on conditions.

import { setTimeout } from 'node:timers/promises';

/** Asks until `holds` answers with something true, and returns that; the limit only ends a failing test. */
export async function until(what, holds) {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const answer = await holds();
    if (answer) return answer;
    if (Date.now() > deadline) throw new Error(`waited 30 s in vain for ${what}`);
    await setTimeout(20);
  }
}
