// Starts the real binary in a directory of its own and speaks to its API.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { apiAt } from './api.mjs';

const repository = fileURLToPath(new URL('../../..', import.meta.url));
const binary = path.resolve(repository, process.env.QUARTERDECK_BIN ?? 'target/debug/quarterdeck');
const START_MS = 15_000;
const STOP_MS = 20_000;

/**
 * Runs `quarterdeck init` until `stop()`. `options` are more flags for it, and without a token among them nobody is asked
 * for one;
 * `before` is what a shell does first, in the process that becomes it;
 * `workspace` is a directory of its own unless another one is given.
 * @param {string[]} options
 * @param {string} [workspace]
 */
export async function startQuarterdeck(options = [], before = ':', workspace = undefined) {
  if (!existsSync(binary)) {
    throw new Error(`${binary} does not exist; build it with cargo build, or name another one in QUARTERDECK_BIN`);
  }
  const directory = await mkdtemp(path.join(tmpdir(), 'quarterdeck-web-'));
  const auth = options.includes('--token-file') ? [] : ['--no-auth'];
  const log = [];
  const start = async (listen) => {
    const child = spawn(
      '/bin/sh',
      ['-c', `${before} && exec "$0" "$@"`, binary, 'init', ...auth, '--listen', listen, '--socket', path.join(directory, 'api.sock'), '--state-dir', directory]
        .concat(['--workspace', workspace ?? directory, '--session-command', '/bin/bash', '--log-format', 'json'])
        .concat(options),
      { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, PS1: '$ ' } },
    );
    const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
    return { child, ended, address: await listening(child, log, ended) };
  };
  let { child, ended, address } = await start('127.0.0.1:0');
  /** Ends it as a container engine would, and says how it went. */
  const end = async () => {
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    const result = await ended;
    clearTimeout(timer);
    return result;
  };
  return {
    ...apiAt(`http://${address}`),
    binary,
    directory,
    log,
    /** Sends a signal to init. */
    signal: (name) => child.kill(name),
    /** As `docker restart` does it: the same state, workspace and address. */
    async restart() {
      await end();
      ({ child, ended, address } = await start(address));
    },
    async stop() {
      const result = await end();
      await rm(directory, { recursive: true, force: true });
      return result;
    },
  };
}

/** The address in the log line "Listening"; fails with the log when that never comes. */
function listening(child, log, ended) {
  return new Promise((resolve, reject) => {
    const fail = (reason) => {
      child.kill('SIGKILL');
      reject(new Error(`quarterdeck init ${reason}; its log:\n${log.join('\n')}`));
    };
    const timer = setTimeout(() => fail(`did not listen within ${START_MS} ms`), START_MS);
    void ended.then(({ code, signal }) => fail(`ended early (code ${code}, signal ${signal})`));
    createInterface({ input: child.stderr }).on('line', (line) => {
      log.push(line);
      const entry = parse(line);
      if (entry?.message !== 'Listening') return;
      clearTimeout(timer);
      resolve(entry.address);
    });
  });
}

function parse(line) {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
