// The shop's server: answers requests and logs them. It fills its cache up to so many MiB as the file `cache` says.

import { readFileSync, watchFile } from 'node:fs';
import { createServer, get } from 'node:http';
import { total } from './prices.mjs';

const cache = [];
const paint = (code, text) => `\x1b[${code}m${text}\x1b[0m`;
const log = (text) => console.log(`${paint(90, new Date().toISOString().slice(11, 23))} ${text}`);

const routes = {
  '/': () => [200, 'shop'],
  '/basket': () => [200, String(total([{ cents: 1299, count: 2 }]))],
  '/products/42': () => [200, 'teapot'],
  '/products/43': () => [404, 'no such product'],
};

const server = createServer((request, response) => {
  const begin = performance.now();
  const [status, text] = routes[request.url]();
  response.writeHead(status).end(text);
  const colour = status < 400 ? 32 : 33;
  log(`${paint(36, request.method)} ${request.url.padEnd(14)} ${paint(colour, status)} ${(performance.now() - begin).toFixed(1)} ms`);
});

server.listen(0, '127.0.0.1', () => {
  const { port } = server.address();
  log(`listening on ${paint(4, `http://127.0.0.1:${port}/`)}`);
  const paths = Object.keys(routes);
  let turn = 0;
  setInterval(() => get({ port, path: paths[turn++ % paths.length] }, (answer) => answer.resume()), 400);
});

watchFile('cache', { interval: 100 }, () => {
  const mebibytes = Number(readFileSync('cache', 'utf8'));
  // Filled, so that the memory is really taken.
  while (cache.length < mebibytes) cache.push(Buffer.alloc(2 ** 20, 1));
  log(`${paint(33, 'cache')} filled, ${cache.length} MiB`);
});
