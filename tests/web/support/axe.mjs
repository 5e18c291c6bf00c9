// Looks for what keeps people out who use the page in another way than most.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

const source = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Fails with every violation axe-core finds, best practices included. */
export async function assertAccessible(page, state) {
  // Evaluated by the debugger: as a script element the page's own policy would forbid it.
  await page.evaluate(source);
  const found = await page.evaluate(async () => {
    // What a program prints in its terminal is not the page's, nor are the colours it chooses.
    const { violations } = await window.axe.run({ exclude: [['.xterm-rows']] });
    return violations.flatMap(({ id, help, nodes }) => nodes.map((node) => `${id} (${help}): ${node.html} ${node.failureSummary}`));
  });
  assert.deepEqual(found, [], state);
}
