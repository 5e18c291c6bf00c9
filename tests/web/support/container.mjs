// The real image in a real container, from the Docker daemon that tests/docker/run has made.

import { execFile, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { apiAt } from './api.mjs';
import { freePort } from './port.mjs';
import { until } from './until.mjs';

const IMAGE = process.env.QUARTERDECK_IMAGE ?? 'quarterdeck:test';

/** Runs a container with these flags of `docker run` until `stop()`. */
export async function startContainer(flags) {
  // The page's address is outside the container, where nobody but us can tell of it.
  const port = await freePort();
  const options = ['--no-auth=i-know', '--allow-origin', `http://127.0.0.1:${port}`, '--log-format', 'json'];
  const id = await docker('run', '--detach', '--publish', `127.0.0.1:${port}:3000`, ...flags, IMAGE, ...options);
  const log = [];
  const logs = spawn('docker', ['logs', '--follow', id], { stdio: ['ignore', 'ignore', 'pipe'] });
  createInterface({ input: logs.stderr }).on('line', (line) => log.push(line));
  const stop = async () => {
    await docker('rm', '--force', '--volumes', id);
    logs.kill();
  };
  try {
    const address = await until('the port to be published', async () => (await docker('port', id, '3000/tcp')).split('\n')[0]);
    const url = `http://${address}`;
    await until(`${url} to take sessions`, () => fetch(`${url}/ready`).then((response) => response.ok, () => false));
    return { ...apiAt(url), log, stop };
  } catch (error) {
    await stop();
    throw new Error(`the container did not come up; its log:\n${log.join('\n')}`, { cause: error });
  }
}

async function docker(...words) {
  return (await promisify(execFile)('docker', words)).stdout.trim();
}
