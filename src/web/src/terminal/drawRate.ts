/**
 * Draws a terminal that floods thirty times a second instead of sixty, where
 * the DOM draws it. Nobody reads what goes by at either rate, and each drawing
 * makes every row anew: it takes the page's thread from input and parsing, and
 * leaves garbage whose collection stops both.
 *
 * A drawing that comes after a pause, as that of an echo does, is not put off,
 * nor is one in the scrollback, where it is the user who moves the rows.
 */

import type { Terminal } from '@xterm/xterm';
import type { RenderService } from './internals';

/** The part of xterm's drawing that this changes. */
type Renderer = Pick<RenderService, '_renderDebouncer' | 'refreshRows'>;

/** With a display of 60 Hz, every second frame. */
const PAUSE_MS = 25;

export class DrawRate {
  private last = -Infinity;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly terminal: Pick<Terminal, 'rows' | 'buffer' | 'onRender'>,
    /** Whether drawing is cheap. */
    private readonly unlimited: () => boolean,
  ) {}

  /** Call it once the terminal is open. */
  limit(renderer: Renderer): void {
    const debouncer = renderer._renderDebouncer;
    const refresh = debouncer.refresh.bind(debouncer);
    this.terminal.onRender(() => (this.last = performance.now()));
    debouncer.refresh = (start, end, rows) => {
      const wait = this.last + PAUSE_MS - performance.now();
      if (wait <= 0 || this.unlimited() || this.isScrolledBack()) refresh(start, end, rows);
      else this.timer ??= setTimeout(() => this.catchUp(renderer), wait);
    };
  }

  /** The next drawing is not put off. */
  allow(): void {
    this.last = -Infinity;
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private catchUp(renderer: Renderer): void {
    this.allow();
    // What was to be drawn may be some rows only, but the others were drawn lately and are likely to be among them.
    renderer.refreshRows(0, this.terminal.rows - 1);
  }

  private isScrolledBack(): boolean {
    const { baseY, viewportY } = this.terminal.buffer.active;
    return viewportY !== baseY;
  }
}
