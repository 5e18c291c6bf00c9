// The program quarterdeck is made for first of all: Claude's own command line, as npm has it. No account is needed for its first
// screen.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openBrowser } from './support/browser.mjs';
import { startQuarterdeck } from './support/quarterdeck.mjs';

const claude = fileURLToPath(new URL('node_modules/.bin/claude', import.meta.url));

const isLeftOut = process.env.QUARTERDECK_SKIP_CLAUDE === '1';

let server;
let deck;

before(async () => {
  if (isLeftOut) return;
  // An optional dependency, which npm leaves out in silence where there is none for the machine.
  assert.ok(existsSync(claude), `${claude} is not installed; QUARTERDECK_SKIP_CLAUDE=1 leaves this test out`);
  server = await startQuarterdeck();
  deck = await openBrowser(server.url);
  await deck.connected();
});
after(async () => {
  await deck?.close();
  await server?.stop();
});

test("Claude's first screen is shown", { skip: isLeftOut && 'QUARTERDECK_SKIP_CLAUDE=1 is set' }, async () => {
  const id = await deck.createSession({ Name: 'claude', Command: claude });
  await deck.textAppears(id, 'Welcome to Claude Code');
  await deck.screenshot('claude');
  assert.deepEqual(deck.complaints, []);
});
