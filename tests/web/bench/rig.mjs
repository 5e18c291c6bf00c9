// A quarterdeck with sessions that print without end, and a page on it that measures itself.

import { openBrowser } from '../support/browser.mjs';
import { startQuarterdeck } from '../support/quarterdeck.mjs';
import { row } from './figures.mjs';
import { installProbe } from './probe.mjs';

/** Numbered lines with colours, as fast as they are read. */
export const FLOOD = ['/bin/bash', '-c', String.raw`exec seq -f $'\e[32m%12.0f\e[0m compiling \e[1mcrate\e[0m with a line of a flood that never ends' 1 1e15`];

/** Such lines too, 2,500 a second: a build that goes by faster than anybody reads. */
export const STREAM = ['/usr/bin/perl', '-e', String.raw`$| = 1; for (;;) { print map { sprintf "\e[32m%12d\e[0m compiling \e[1mcrate\e[0m with a line of a build that goes by\n", ++$n } 1..50; select undef, undef, undef, 0.02 }`];

/** Runs `body` with a page on sessions with these names and commands; the first one is on show. */
export async function withPage(commands, body) {
  const server = await startQuarterdeck();
  let deck;
  try {
    const ids = [];
    for (const [name, command] of Object.entries(commands)) ids.push((await server.post('/api/sessions', { name, command })).session.id);
    deck = await openBrowser(server.url);
    // Before the page's own scripts, so that it hears of events first.
    await deck.page.addInitScript(installProbe);
    await deck.page.reload();
    await deck.tab(Object.keys(commands)[0]).click();
    await body(new Bench(deck, server, ids));
  } finally {
    await deck?.close();
    await server.stop();
  }
}

class Bench {
  constructor(deck, server, ids) {
    this.deck = deck;
    this.page = deck.page;
    this.server = server;
    this.ids = ids;
  }

  /** What the probe measures, from the event of this type that `act` makes to the frame that fulfils the criterion. */
  async measure(type, criterion, act) {
    await this.page.evaluate((parameters) => window.__probe.arm(...parameters), [type, criterion]);
    await act();
    return this.page.evaluate(() => window.__probe.result());
  }

  /** Bytes that the sessions have printed: a window more, at most, than their terminals have parsed. */
  async outputBytes() {
    const { sessions } = await this.server.get('/api/sessions');
    return sessions.reduce((sum, { outputOffset }) => sum + outputOffset, 0);
  }

  /** Runs `body` and prints how fast the sessions printed meanwhile. */
  async rate(name, body) {
    const [bytes, time] = [await this.outputBytes(), performance.now()];
    await body();
    const rate = ((await this.outputBytes()) - bytes) / (performance.now() - time) / 1e3;
    row(name, `${rate.toFixed(1)} MB/s`);
  }
}
