// Who draws the terminal: the graphics card where there is one, else the DOM.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openBrowser } from './support/browser.mjs';
import { startQuarterdeck } from './support/quarterdeck.mjs';
import { until } from './support/until.mjs';

let server;
let deck;
const ids = {};

before(async () => {
  server = await startQuarterdeck();
  for (const name of ['drawn', 'other', 'unseen']) ids[name] = (await server.post('/api/sessions', { name })).session.id;
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

test('a hidden terminal is not drawn, and its first frame on show has what was printed meanwhile', async () => {
  await deck.tab('other').click();
  await deck.tab('drawn').click();
  await deck.page.evaluate((id) => {
    window.drawings = [];
    const rows = document.querySelector(`[id="panel-${id}"] .xterm-rows`);
    new MutationObserver((records) => window.drawings.push(...records.map(({ target }) => target.textContent))).observe(rows, { childList: true, subtree: true });
  }, ids.other);
  await server.type(ids.other, 'seq 200; echo unseen-$((3 + 0))\n');
  await deck.lineAppears(ids.other, 'unseen-3');
  assert.deepEqual(await deck.page.evaluate(() => window.drawings), []);
  const shown = await deck.page.evaluate((id) => {
    document.getElementById(`tab-${id}`).click();
    return document.querySelector(`[id="panel-${id}"] .xterm-rows`).textContent;
  }, ids.other);
  assert.match(shown, /unseen-3/);
});

test('the cursor blinks, and the page does not work for it in between', async () => {
  await deck.page.keyboard.type('x');
  const cursor = deck.page.locator('[role=tabpanel]:not([hidden]) .xterm-cursor-blink');
  const colour = () => cursor.evaluate((element) => getComputedStyle(element).backgroundColor);
  const unseen = 'rgba(0, 0, 0, 0)';
  // An element that is being drawn anew has no colour at all.
  const isLit = async () => ![unseen, ''].includes(await colour());
  const isDark = async () => (await colour()) === unseen;
  for (let round = 0; round < 2; round++) {
    await until('the cursor to be seen', isLit);
    await until('the cursor not to be seen', isDark);
  }
  const running = () => document.getAnimations().filter((animation) => animation.playState === 'running').length;
  await until('the scroll bar to have faded, and nothing else to move', async () => (await deck.page.evaluate(running)) === 0);
});

test('with one, WebGL draws the terminals that were on show, and no others', async () => {
  // The test machine's WebGL is software; the page would rightly decline it.
  await deck.page.addInitScript(() => {
    const getParameter = WebGL2RenderingContext.prototype.getParameter;
    WebGL2RenderingContext.prototype.getParameter = function (name) {
      const value = getParameter.call(this, name);
      return typeof value === 'string' ? value.replace(/swiftshader/gi, 'Test GPU') : value;
    };
  });
  await deck.tab('drawn').click();
  await deck.page.reload();
  await deck.page.locator('[role=tabpanel]:not([hidden]) canvas').first().waitFor();
  await deck.tab('other').click();
  await deck.page.locator('[role=tabpanel]:not([hidden]) canvas').first().waitFor();
  const canvasesOf = (name) => deck.page.locator(`[id="panel-${ids[name]}"] canvas`).count();
  assert.ok((await canvasesOf('drawn')) > 0);
  assert.equal(await canvasesOf('unseen'), 0);
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
  await deck.lineAppears(ids.drawn, 'after-2-loss');
  await drawnByDom('after-2-loss');
  assert.deepEqual(deck.complaints, []);
});
