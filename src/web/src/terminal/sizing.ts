/**
 * Whose size a session has when several browsers look at it.
 *
 * A session has one size. The browser in which somebody last typed or put the
 * focus into the terminal owns it: its terminal fills its room, and a change
 * of the room is asked of the server. Everywhere else the terminal has the
 * session's size in whatever room there is, until somebody takes it over.
 *
 * The server tells sizes, not owners. So a size is mine when I asked for it or
 * it is that of my room, and somebody else's when it is neither.
 */

export interface Size {
  readonly cols: number;
  readonly rows: number;
}

export interface SizingHost {
  /** What the room holds; undefined while the terminal is hidden. */
  room(): Size | undefined;
  /** Gives the terminal this size; `foreign` when it is not that of the room. */
  adapt(size: Size, foreign: boolean): void;
  /** Whether the room may ever count. Where not, the session's size always holds. */
  mayAsk(): boolean;
  /** Asks the server for a size; says whether that was possible. */
  ask(size: Size): boolean;
}

/** A window that is dragged changes its size all the time; the program hears of it at rest. */
const ASK_DELAY_MS = 100;

export class Sizing {
  private own = false;
  private actual: Size | undefined;
  /** Asked for and not yet told. */
  private asked: Size[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly host: SizingHost) {}

  /** The user is here. */
  claim(): void {
    if (this.own || !this.host.mayAsk()) return;
    this.own = true;
    this.refit();
  }

  /** The room may have changed, or the session may take a size again. */
  refit(): void {
    const room = this.host.room();
    if (!room) return;
    if (this.own) this.fill(room);
    else this.settle(room);
  }

  /** The session has this size now. */
  told(size: Size): void {
    this.actual = size;
    const answered = this.asked.findIndex((asked) => equal(asked, size));
    this.asked = answered < 0 ? [] : this.asked.slice(answered + 1);
    const room = this.host.room();
    if (!room) {
      this.own = false;
      this.host.adapt(size, false);
    } else if (answered < 0) {
      this.own = this.host.mayAsk() && equal(size, room);
      this.settle(room);
    }
  }

  /** Nobody waits for an answer any more. */
  detached(): void {
    this.asked = [];
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  private fill(room: Size): void {
    this.host.adapt(room, false);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      const current = this.asked.at(-1) ?? this.actual;
      if (!this.own || (current && equal(current, room))) return;
      if (this.host.ask(room)) this.asked.push(room);
    }, ASK_DELAY_MS);
  }

  private settle(room: Size): void {
    const size = this.actual ?? room;
    this.host.adapt(size, !equal(size, room));
  }
}

function equal(a: Size, b: Size): boolean {
  return a.cols === b.cols && a.rows === b.rows;
}
