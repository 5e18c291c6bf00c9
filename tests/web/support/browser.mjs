// A browser with one page on a server, and the ways a test looks at it.

import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const output = fileURLToPath(new URL('../output/', import.meta.url));
const executablePath = process.env.CHROMIUM_BIN ?? '/usr/bin/chromium';
const args =
  '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync'
    .split(' ')
    // A name that is none of loopback's, for what is behind a reverse proxy.
    .concat('--host-resolver-rules=MAP quarterdeck.test 127.0.0.1');
const WAIT_MS = 30_000;

/** `options` are those of a page in Playwright; `address` is the first one it opens, if that is not just `url`. */
export async function openBrowser(url, options = {}, address = url) {
  const browser = await chromium.launch({ executablePath, args });
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, colorScheme: 'dark', ...options });
  page.setDefaultTimeout(WAIT_MS);
  const complaints = [];
  const foreign = [];
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(`uncaught: ${error.message}`));
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== url) foreign.push(request.url());
  });
  page.on('websocket', (socket) => {
    if (new URL(socket.url()).host !== new URL(url).host) foreign.push(socket.url());
  });
  await page.goto(address);
  return new Deck(browser, page, complaints, foreign);
}

class Deck {
  constructor(browser, page, complaints, foreign) {
    this.browser = browser;
    this.page = page;
    /** What the page wrote to the console as an error. */
    this.complaints = complaints;
    /** Requests to any other host. */
    this.foreign = foreign;
  }

  close() {
    return this.browser.close();
  }

  tabs() {
    return this.page.getByRole('tab');
  }

  tab(name) {
    // Status and age follow the name, and may be spelled like another one's name.
    return this.page.getByRole('tab', { name: new RegExp(`^${name} `) });
  }

  async screenshot(name) {
    await mkdir(output, { recursive: true });
    await this.page.screenshot({ path: `${output}${name}.png` });
  }

  connected() {
    return this.page.getByTestId('connection').and(this.page.locator('[data-phase=open]')).waitFor();
  }

  /** Fills in and sends the dialog; waiting for what comes of it is the test's. */
  async submitNewSession(fields = {}) {
    await this.page.getByRole('button', { name: 'New session' }).first().click();
    for (const [label, value] of Object.entries(fields)) await this.page.getByLabel(label, { exact: true }).fill(value);
    await this.page.getByRole('button', { name: 'Create' }).click();
  }

  /** Makes a session through the dialog; afterwards its terminal has the keyboard. Returns its id. */
  async createSession(fields) {
    await this.submitNewSession(fields);
    // The tab may be there before the dialog has heard of its success.
    await this.page.getByRole('dialog').waitFor({ state: 'detached' });
    return this.activeId();
  }

  /** The id behind the selected tab. */
  async activeId() {
    const tab = this.page.getByRole('tab', { selected: true });
    return (await tab.getAttribute('id')).replace(/^tab-/, '');
  }

  /** Whether the page is wider than the window, so that it would scroll sideways. */
  overflows() {
    return this.page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
  }

  text(sessionId) {
    return this.page.evaluate((id) => window.__quarterdeck.text(id), sessionId);
  }

  /** Waits until the terminal's text has `wanted` as a whole line; returns all lines. */
  async lineAppears(sessionId, wanted) {
    await this.page.waitForFunction(
      ([id, line]) => window.__quarterdeck?.text(id)?.split('\n').includes(line),
      [sessionId, wanted],
      { polling: 50 },
    );
    return (await this.text(sessionId)).split('\n');
  }

  /** Waits until the terminal's text contains `wanted`. */
  async textAppears(sessionId, wanted) {
    await this.page.waitForFunction(([id, part]) => window.__quarterdeck?.text(id)?.includes(part), [sessionId, wanted], { polling: 50 });
  }
}
