/**
 * Asks again and again while it is switched on, and at once when it is
 * switched on. A failed question is asked again at its next turn: the
 * connection's own state says what is wrong.
 */

export interface Turn {
  /** The first since the poller was switched on: what happened before was not seen. */
  readonly first: boolean;
  /** Whether the poller has been on ever since, so that an answer still counts. */
  wanted(): boolean;
}

export class Poller {
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** Raised by each switch. */
  private round = 0;
  private on = false;

  constructor(
    private readonly ask: (turn: Turn) => Promise<void>,
    private readonly intervalMs: number,
  ) {}

  switch(on: boolean): void {
    if (on === this.on) return;
    this.on = on;
    this.round++;
    clearTimeout(this.timer);
    if (on) void this.turn(this.round, true);
  }

  private async turn(round: number, first: boolean): Promise<void> {
    const wanted = () => this.round === round;
    await this.ask({ first, wanted }).catch(() => {});
    // Counted from the answer: a slow server is not asked more often than it can answer.
    if (wanted()) this.timer = setTimeout(() => void this.turn(round, false), this.intervalMs);
  }
}
