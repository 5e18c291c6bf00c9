// Who draws the terminal: the graphics card where there is one, else the DOM.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openBrowser } from './support/browser.mjs';
import { startQuarterdeck } from './support/quarterdeck.mjs';

let server;
let deck;
let id;

before(async () => {
  server = await startQuarterdeck();
  id = (await server.post('/api/sessions', { name: 'drawn' })).session.id;
  await server.post('/api/sessions', { name: 'other' });
  deck = await openBrowser(server.url);
});
after(async () => {
  await deck?.close();
  await server?.stop();
});

const canvases = () => deck.page.locator('.terminal-screen canvas').count();
const drawnByDom = (text) => deck.page.locator('[role=tabpanel]:not([hidden]) .xterm-rows').getByText(text).first().waitFor();

test('without a graphics card the DOM draws', async () => {
  await deck.tab('drawn').click();
  await deck.page.keyboard.type('echo by-$((1 + 0))-dom\n');
  await drawnByDom('by-1-dom');
  assert.equal(await canvases(), 0);
});

test('with one, WebGL draws the terminal on show and no other', async () => {
  // The test machine's WebGL is software; the page would rightly decline it.
  await deck.page.addInitScript(() => {
    const getParameter = WebGL2RenderingContext.prototype.getParameter;
    WebGL2RenderingContext.prototype.getParameter = function (name) {
      const value = getParameter.call(this, name);
      return typeof value === 'string' ? value.replace(/swiftshader/gi, 'Test GPU') : value;
    };
  });
  await deck.page.reload();
  await deck.page.locator('[role=tabpanel]:not([hidden]) canvas').first().waitFor();
  await deck.tab('other').click();
  await deck.page.locator('[role=tabpanel]:not([hidden]) canvas').first().waitFor();
  assert.equal(await deck.page.locator('[role=tabpanel][hidden] canvas').count(), 0);
  await deck.screenshot('webgl');
});

test('when the context is taken away the DOM goes on, with everything there', async () => {
  await deck.tab('drawn').click();
  await deck.page.locator('[role=tabpanel]:not([hidden]) canvas').first().waitFor();
  await deck.page.evaluate(() => {
    for (const canvas of document.querySelectorAll('.terminal-screen canvas')) {
      canvas.getContext('webgl2')?.getExtension('WEBGL_lose_context')?.loseContext();
    }
  });
  await drawnByDom('by-1-dom');
  assert.equal(await canvases(), 0);
  await deck.page.keyboard.type('echo after-$((2 + 0))-loss\n');
  await deck.lineAppears(id, 'after-2-loss');
  await drawnByDom('after-2-loss');
  assert.deepEqual(deck.complaints, []);
});
