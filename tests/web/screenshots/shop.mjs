// A small project, and four sessions at work in it.

import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from '../support/until.mjs';

/** Looks the same on every machine: it can be read in the pictures. */
export const SHOP = '/tmp/shop';
const MEBIBYTE = 2 ** 20;
let cached = 0;

/** Makes the project, with a history. Fails if the place is taken. */
export function makeShop() {
  mkdirSync(SHOP);
  cpSync(fileURLToPath(new URL('shop/', import.meta.url)), SHOP, { recursive: true });
  const git = (...words) =>
    execFileSync('git', ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.org', '-c', 'init.defaultBranch=main', ...words], { cwd: SHOP, stdio: 'ignore' });
  git('init');
  for (const [file, message] of [
    ['prices.mjs', 'Round each line of a basket'],
    ['prices.check.mjs', 'Test what a basket costs'],
    ['server.mjs', 'Log the time of each request'],
    ['agent.mjs', 'Let an agent help'],
  ]) {
    git('add', file);
    git('commit', '-m', message);
  }
  setCache(0);
}

export function removeShop() {
  rmSync(SHOP, { recursive: true, force: true });
}

/** Starts the sessions; when this is done each has printed what it has to say for now. Their ids by name. */
export async function startWork(server, deck) {
  const start = async (session, printed) => {
    const { id } = (await server.post('/api/sessions', session)).session;
    await deck.textAppears(id, printed);
    return id;
  };
  return {
    server: await start({ name: 'server', command: ['sh', '-c', 'node server.mjs | tee server.log'] }, '/products/43'),
    shell: await start({ name: 'shell', command: ['/bin/bash', '--norc'] }, '$'),
    tests: await start({ name: 'tests', command: ['node', '--test', 'prices.check.mjs'] }, 'duration_ms'),
    checkout: await start({ name: 'checkout', command: ['node', 'agent.mjs', 'Why is a basket one cent too dear?'], branch: 'fix/rounding' }, 'instead'),
  };
}

/** Has the session `server` take memory until so much of the limit is used, also while the rest of the machine frees some. */
export async function fillMemory(server, sessionId, percent) {
  for (;;) {
    const { memoryUsedBytes, memoryLimitBytes } = await server.get('/api/resources');
    const missing = Math.ceil(((memoryLimitBytes * percent) / 100 - memoryUsedBytes) / MEBIBYTE);
    if (missing <= 0) return;
    cached += Math.min(missing, 512);
    setCache(cached);
    await until('the server to have taken it', async () => (await server.output(sessionId)).includes(`, ${cached} MiB`));
  }
}

/** How many MiB the server is to hold. */
function setCache(mebibytes) {
  writeFileSync(path.join(SHOP, 'cache'), String(mebibytes));
}
