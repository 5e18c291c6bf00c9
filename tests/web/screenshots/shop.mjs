// A small project, and four sessions at work in it.

import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** A place that looks the same on every machine: it can be read in the pictures. */
const PLACE = '/tmp/shop';
const MEBIBYTE = 2 ** 20;

/** Makes the project, with a history. Fails if the place is taken. */
export function makeShop() {
  mkdirSync(PLACE);
  cpSync(fileURLToPath(new URL('shop/', import.meta.url)), PLACE, { recursive: true });
  const git = (...words) =>
    execFileSync('git', ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.org', '-c', 'init.defaultBranch=main', ...words], { cwd: PLACE, stdio: 'ignore' });
  git('init');
  for (const [file, message] of [
    ['prices.mjs', 'Round each line of a basket'],
    ['prices.check.mjs', 'Test what a basket costs'],
    ['server.mjs', 'Log the time of each request'],
  ]) {
    git('add', file);
    git('commit', '-m', message);
  }
  writeFileSync(path.join(PLACE, 'cache'), '0');
  return { remove: () => rmSync(PLACE, { recursive: true, force: true }) };
}

/** The sessions by name; their first output has been printed when this is done. */
export async function startWork(server, deck) {
  const start = async (name, command, printed) => {
    const { session } = await server.post('/api/sessions', { name, command, cwd: PLACE });
    await deck.textAppears(session.id, printed);
    return session.id;
  };
  return {
    server: await start('server', ['node', 'server.mjs'], '/products/43'),
    shell: await start('shell', ['/bin/bash', '--norc'], '$'),
    tests: await start('tests', ['node', '--test', 'prices.check.mjs'], 'duration_ms'),
    checkout: await start('checkout', ['./agent', 'Why is a basket one cent too dear?'], 'instead'),
  };
}

/** Has the session `server` take memory until so much of the limit is used. */
export async function fillMemory(server, sessionId, percent) {
  const { memoryUsedBytes, memoryLimitBytes } = await server.get('/api/resources');
  const missing = Math.max(0, Math.round(((memoryLimitBytes * percent) / 100 - memoryUsedBytes) / MEBIBYTE));
  writeFileSync(path.join(PLACE, 'cache'), String(missing));
  await server.post(`/api/sessions/${sessionId}/signal`, { signal: 'USR2' });
}
