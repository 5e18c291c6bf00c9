/**
 * Parses what sessions print, in short turns.
 *
 * A page has one thread for everything, and floods would take all of it. So
 * output is not parsed as it arrives: it waits in a feed for each terminal,
 * and a turn of a few milliseconds takes pieces from the feeds. Between two
 * turns the browser handles input and draws, which it puts before them. The
 * terminal on show gets every second piece. Hidden ones rest for a moment
 * after each sign of the user, so that the answer finds the thread free.
 *
 * What waits is bounded: the server sends no more than a window beyond what
 * was acknowledged, and that is done when it is parsed.
 */

import { Feed, type Parse } from './feed';

/** At most so long the page hears nothing of input. */
const TURN_MS = 4;
/** Output up to this much for a quiet terminal on show, as an echo is, waits for no turn. */
const ECHO_BYTES = 1024;
/** How long hidden terminals rest after a sign of the user: the echo of a key is back by then. */
const REST_MS = 40;
/** A key that is held down must not stop the programs behind hidden terminals. */
const LONGEST_REST_MS = 200;

export interface TurnHost {
  now(): number;
  /** Runs this soon, but behind input and drawing. */
  soon(run: () => void): void;
  after(delayMs: number, run: () => void): void;
  /** Runs this when the next frame is drawn, or soon if none is. */
  afterFrame(run: () => void): void;
  /** Whether input waits to be handled, as far as the browser says. */
  inputPending(): boolean;
}

export class Turns {
  /** Those that have waited longest come first. */
  private readonly feeds: Feed[] = [];
  private scheduled = false;
  private inTurn = false;
  private held = false;
  private frontWasLast = false;
  private restingSince = -Infinity;
  private restingUntil = -Infinity;
  private alarmSet = false;

  constructor(private readonly host: TurnHost) {}

  open(parse: Parse): Feed {
    const feed = new Feed(parse, () => this.fed(feed));
    this.feeds.push(feed);
    return feed;
  }

  close(feed: Feed): void {
    feed.clear();
    this.feeds.splice(this.feeds.indexOf(feed), 1);
  }

  /** The user does something: who is not looked at waits. */
  userIsActive(): void {
    const now = this.host.now();
    if (now >= this.restingUntil) this.restingSince = now;
    this.restingUntil = Math.min(now + REST_MS, this.restingSince + LONGEST_REST_MS);
  }

  /** A terminal comes on show: nothing gets between this and its first frame. */
  holdUntilDrawn(): void {
    if (this.held) return;
    this.held = true;
    this.host.afterFrame(() => {
      this.held = false;
      this.schedule();
    });
  }

  private fed(feed: Feed): void {
    if (feed.onShow && feed.waitingBytes <= ECHO_BYTES && feed.ready && !this.held) feed.step();
    else this.schedule();
  }

  private schedule(): void {
    if (this.scheduled || this.inTurn || this.held) return;
    this.scheduled = true;
    this.host.soon(() => this.turn());
  }

  private turn(): void {
    this.scheduled = false;
    if (this.held) return;
    this.inTurn = true;
    let more = true;
    try {
      more = this.takePieces();
    } finally {
      // A parser that throws must not stop the others.
      this.inTurn = false;
      if (more) this.schedule();
      else this.scheduleAfterRest();
    }
  }

  /** Says whether there may be more to do. */
  private takePieces(): boolean {
    const end = this.host.now() + TURN_MS;
    for (;;) {
      const feed = this.next();
      if (!feed) return false;
      feed.step();
      if (this.host.now() >= end || this.host.inputPending()) return true;
    }
  }

  /** Whose turn it is: every second time it is the terminal on show, if it has output. */
  private next(): Feed | undefined {
    const ready = this.feeds.filter((feed) => feed.ready);
    const front = ready.find((feed) => feed.onShow);
    const hidden = this.host.now() < this.restingUntil ? undefined : ready.find((feed) => !feed.onShow);
    this.frontWasLast = front !== undefined && !(hidden && this.frontWasLast);
    if (this.frontWasLast || !hidden) return front;
    this.feeds.push(...this.feeds.splice(this.feeds.indexOf(hidden), 1));
    return hidden;
  }

  private scheduleAfterRest(): void {
    if (this.alarmSet || !this.feeds.some((feed) => feed.ready)) return;
    this.alarmSet = true;
    this.host.after(this.restingUntil - this.host.now(), () => {
      this.alarmSet = false;
      this.schedule();
    });
  }
}
