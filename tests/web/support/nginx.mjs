// Debian's nginx with TLS in front of a quarterdeck, by the example file of container/proxy.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { until } from './until.mjs';

const EXAMPLE = fileURLToPath(new URL('../../../container/proxy/nginx.conf', import.meta.url));
/** The browser takes it for this machine. */
export const NAME = 'quarterdeck.test';

/** Serves `target`, an address with a port, at https://quarterdeck.test:`port`. */
export async function startNginx(port, target) {
  const directory = await mkdtemp(path.join(tmpdir(), 'quarterdeck-nginx-'));
  const file = (name) => path.join(directory, name);
  await promisify(execFile)('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
    .concat(['-subj', `/CN=${NAME}`, '-addext', `subjectAltName=DNS:${NAME}`, '-keyout', file('key'), '-out', file('crt')]));
  await writeFile(file('site.conf'), await adapted(port, target, file));
  await writeFile(file('nginx.conf'), frame(directory));
  let child;
  const stop = async () => {
    child.kill('SIGTERM');
    await once(child, 'exit');
  };
  const start = async () => {
    child = spawn('nginx', ['-p', directory, '-c', file('nginx.conf'), '-e', file('error.log')], { stdio: 'inherit' });
    await until('nginx to answer', () => ask(port, '/health').catch(() => null));
  };
  await start();
  return {
    url: `https://${NAME}:${port}`,
    ask: (route, options) => ask(port, route, options),
    /** Its connections break, and it takes new ones afterwards. */
    stop,
    start,
    async end() {
      await stop();
      await rm(directory, { recursive: true });
    },
  };
}

/** The example with what everybody has to adapt in it. */
async function adapted(port, target, file) {
  const changes = [
    ['listen 443 ssl', `listen 127.0.0.1:${port} ssl`],
    ['server_name deck.example.org', `server_name ${NAME}`],
    ['/etc/nginx/tls/deck.example.org.crt', file('crt')],
    ['/etc/nginx/tls/deck.example.org.key', file('key')],
    ['http://127.0.0.1:3000', `http://${target}`],
  ];
  return changes.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`the example has no ${from} any more`);
    return text.replace(from, to);
  }, await readFile(EXAMPLE, 'utf8'));
}

function frame(directory) {
  const user = process.getuid() === 0 ? 'user root;' : '';
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${directory}/${name};`);
  return `daemon off; pid ${directory}/pid; ${user} worker_processes 1; events {}
    http { access_log off; ${places.join(' ')} include ${directory}/site.conf; }`;
}

/** A request to it that no browser made: the status and the answer. */
function ask(port, route, { method = 'GET', headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path: route, method, servername: NAME, rejectUnauthorized: false, agent: false });
    for (const [name, value] of Object.entries({ Host: `${NAME}:${port}`, ...headers })) sent.setHeader(name, value);
    sent.on('error', reject).on('response', async (response) => {
      response.setEncoding('utf8');
      const text = (await response.toArray()).join('');
      resolve({ status: response.statusCode, headers: response.headers, text });
    });
    sent.end(body);
  });
}
