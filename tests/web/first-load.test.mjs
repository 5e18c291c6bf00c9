// What a first visit costs on the wire.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openBrowser } from './support/browser.mjs';
import { startQuarterdeck } from './support/quarterdeck.mjs';

const LIMIT = 250 * 1024;

test('the first load is below 250 KiB, compressed, from this server alone', async (t) => {
  const server = await startQuarterdeck();
  t.after(() => server.stop());
  const deck = await openBrowser('about:blank');
  t.after(() => deck.close());
  const wire = await deck.page.context().newCDPSession(deck.page);
  await wire.send('Network.enable');
  const assets = new Map();
  wire.on('Network.responseReceived', ({ requestId, type, response }) => {
    if (['Document', 'Script', 'Stylesheet', 'Image', 'Font'].includes(type)) assets.set(requestId, { url: response.url, headers: response.headers, bytes: 0 });
  });
  wire.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    const asset = assets.get(requestId);
    if (asset) asset.bytes = encodedDataLength;
  });
  await deck.page.goto(server.url);
  await deck.connected();
  await deck.page.waitForLoadState('networkidle');
  const all = [...assets.values()];
  const total = all.reduce((sum, { bytes }) => sum + bytes, 0);
  t.diagnostic(`${total} bytes: ${all.map(({ url, bytes }) => `${new URL(url).pathname} ${bytes}`).join(', ')}`);
  assert.ok(all.some(({ url }) => url.endsWith('.js')) && all.some(({ url }) => url.endsWith('.css')));
  for (const { url, headers } of all.filter((asset) => /\.(js|css)$/.test(asset.url))) {
    assert.equal(headers['content-encoding'] ?? headers['Content-Encoding'], 'gzip', url);
  }
  assert.ok(total > 50 * 1024 && total < LIMIT, `${total} bytes`);
  assert.deepEqual(all.filter(({ url }) => new URL(url).origin !== server.url), []);
});
