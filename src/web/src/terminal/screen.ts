/**
 * One session's terminal: an xterm and its element, made once and kept as long
 * as the session is known. React only decides which element is on show.
 *
 * A hidden terminal goes on parsing output. It is never measured or fitted,
 * because an element without layout has no size.
 */

import { FitAddon } from '@xterm/addon-fit';
import { SearchAddon } from '@xterm/addon-search';
import { Unicode11Addon } from '@xterm/addon-unicode11';
import { WebLinksAddon } from '@xterm/addon-web-links';
import { type ITerminalOptions, Terminal } from '@xterm/xterm';
import type { ScreenHooks } from '../net/screenHost';
import type { StreamSink } from '../net/sessionStream';
import { Blink } from './blink';
import { DrawRate } from './drawRate';
import { fixEraseAbove } from './eraseFix';
import type { Feed } from './feed';
import { GpuRenderer, loadGpuRenderer } from './gpu';
import { drawNow, parseAtOnce, spareDrawing, stopDrawing } from './internals';
import type { Look } from './look';
import { takePastes } from './paste';
import { isFocusReport, muteHistory } from './replies';
import { type Size, Sizing } from './sizing';
import { terminalFont, terminalThemes } from './theme';
import type { Turns } from './turns';

/** Letters of a terminal that another browser has made larger than this one's room. */
const SMALLEST_FONT = 5;

export class Screen implements StreamSink {
  readonly element = document.createElement('div');
  readonly terminal: Terminal;
  readonly search = new SearchAddon();
  private readonly fitter = new FitAddon();
  private readonly gpu: GpuRenderer;
  private readonly drawRate: DrawRate;
  private readonly sizeWatch = new ResizeObserver(() => this.fit());
  private readonly encoder = new TextEncoder();
  private readonly sizing: Sizing;
  private readonly feed: Feed;
  private readonly blink = new Blink(this.element.style);
  private blinks: boolean;
  private running = true;
  private fontSize: number;
  private visible = false;

  constructor(
    private readonly hooks: ScreenHooks,
    look: Look,
    private readonly turns: Turns,
  ) {
    this.feed = turns.open((data, parsed) => {
      parseAtOnce(this.terminal);
      this.terminal.write(data, parsed);
    });
    this.element.className = 'terminal-screen';
    this.fontSize = look.fontSize;
    this.blinks = !look.reducedMotion;
    this.sizing = new Sizing({
      room: () => this.room(),
      adapt: (size, foreign) => this.adapt(size, foreign),
      mayAsk: () => hooks.mayResize(),
      ask: ({ cols, rows }) => hooks.resized(cols, rows),
    });
    this.terminal = new Terminal({
      // For the search addon's highlights and for unicode 11.
      allowProposedApi: true,
      fontFamily: terminalFont,
      lineHeight: 1.15,
      macOptionIsMeta: true,
      ...optionsOf(look),
    });
    this.gpu = new GpuRenderer(this.terminal, () => this.fit());
    this.drawRate = new DrawRate(this.terminal, () => this.gpu.draws);
    this.terminal.loadAddon(this.fitter);
    this.terminal.loadAddon(this.search);
    this.terminal.loadAddon(new WebLinksAddon((_event, uri) => window.open(uri, '_blank', 'noopener,noreferrer')));
    // East Asian and emoji widths as the C libraries of the last years count them.
    this.terminal.loadAddon(new Unicode11Addon());
    this.terminal.unicode.activeVersion = '11';
    fixEraseAbove(this.terminal);
    muteHistory(this.terminal, hooks.mute);
    // As a key does, a paste says that the user is here.
    takePastes(this.element, this.terminal, (pasted) => {
      this.sizing.claim();
      hooks.paste(pasted);
    });
    this.terminal.onKey(() => {
      this.sizing.claim();
      this.startBlinking();
    });
    this.terminal.attachCustomKeyEventHandler(({ key }) => this.running || key !== 'Tab');
    this.element.addEventListener('pointerdown', () => this.sizing.claim());
    this.terminal.onData((data) => this.typed(data));
    this.terminal.onBinary((data) => hooks.input(Uint8Array.from(data, (char) => char.charCodeAt(0))));
  }

  /** Puts the terminal on show in `host`; the first time this is when xterm is really opened. */
  show(host: HTMLElement): void {
    // Moving an element builds all of it anew, even to where it is.
    if (this.element.parentElement !== host) host.append(this.element);
    this.visible = this.feed.onShow = true;
    if (!this.terminal.element) this.open();
    // Before fitting: a cell's width depends on who draws it.
    this.gpu.enable();
    // Before anything measures: the browser then lays out these rows and not also those of long ago.
    this.drawRate.allow();
    drawNow(this.terminal);
    this.turns.holdUntilDrawn();
    this.startBlinking();
    if (document.hasFocus()) this.sizing.claim();
    // Fits it too, in this frame and when all of the page has its place.
    this.sizeWatch.observe(this.element);
    void loadGpuRenderer().then(() => this.gpuLoaded());
  }

  private open(): void {
    this.terminal.open(this.element);
    this.terminal.textarea?.addEventListener('focus', () => this.sizing.claim());
    spareDrawing(this.terminal, this.drawRate);
  }

  private gpuLoaded(): void {
    if (this.visible && this.gpu.enable()) this.fit();
  }

  /** Takes on another look; the size of the letters decides how many fit. */
  wear(look: Look): void {
    this.fontSize = look.fontSize;
    this.blinks = !look.reducedMotion;
    if (this.visible) this.startBlinking();
    Object.assign(this.terminal.options, optionsOf(look));
    this.fit();
  }

  hide(): void {
    this.visible = this.feed.onShow = false;
    stopDrawing(this.terminal);
    this.blink.stop();
    this.sizing.stop();
    this.sizeWatch.disconnect();
  }

  /** Where no program runs that could want it, the Tab key goes through the page. */
  setRunning(running: boolean): void {
    this.running = running;
  }

  focus(): void {
    this.terminal.focus();
  }

  dispose(): void {
    this.hide();
    this.gpu.disable();
    this.turns.close(this.feed);
    this.terminal.dispose();
    this.element.remove();
  }

  /** The room may have changed, or the session may take a size again. */
  fit(): void {
    this.sizing.refit();
  }

  /** The terminal has come on show or its session was attached: who looks at it with the focus, or `alone`, sets the size. */
  arrive(alone: boolean): void {
    if (this.visible && (alone || document.hasFocus())) this.sizing.claim();
    this.sizing.refit();
  }

  takeOverSize(): void {
    this.sizing.claim();
    this.focus();
  }

  /** The size on show; undefined while hidden, when it may be out of date. */
  visibleSize(): { cols: number; rows: number } | undefined {
    return this.visible ? { cols: this.terminal.cols, rows: this.terminal.rows } : undefined;
  }

  write(bytes: Uint8Array, done: () => void): void {
    this.feed.write(bytes, done);
  }

  skipped(bytes: number, done: () => void): void {
    // CAN ends a control sequence that the gap may have cut in half.
    const note = `${bytes.toLocaleString('en')} bytes skipped: they are no longer kept`;
    this.feed.write(`\x18\x1b[0m\r\n\x1b[33m[${note}]\x1b[0m\r\n`, done);
  }

  resize(cols: number, rows: number): void {
    this.sizing.told({ cols, rows });
  }

  detached(): void {
    this.sizing.detached();
  }

  reset(): void {
    // As bytes, not by `terminal.reset()`: older writes may still be queued,
    // and this has to come behind them.
    this.feed.write('\x18\x1bc', () => {});
  }

  /** The text in the buffer, wrapped lines joined, without the empty rows below the last text. */
  text(): string {
    const buffer = this.terminal.buffer.active;
    const lines: string[] = [];
    for (let row = 0; row < buffer.length; row++) {
      const line = buffer.getLine(row);
      if (!line) continue;
      // A row that the next one continues keeps its trailing blanks: they are text.
      const continues = buffer.getLine(row + 1)?.isWrapped ?? false;
      const text = line.translateToString(!continues);
      if (line.isWrapped && lines.length > 0) lines[lines.length - 1] += text;
      else lines.push(text);
    }
    return lines.join('\n').trimEnd();
  }

  private room(): Size | undefined {
    if (!this.visible) return undefined;
    // Measured with letters of the user's size, not with those that a foreign size was shrunk to.
    this.setFont(this.fontSize);
    const size = this.fitter.proposeDimensions();
    return size && size.cols > 0 && size.rows > 0 ? { cols: size.cols, rows: size.rows } : undefined;
  }

  private adapt({ cols, rows }: Size, foreign: boolean): void {
    if (foreign) this.shrinkTo(cols, rows);
    if (this.terminal.cols !== cols || this.terminal.rows !== rows) this.terminal.resize(cols, rows);
    this.element.toggleAttribute('data-foreign', foreign);
    this.hooks.foreignSize(foreign);
  }

  /** Smaller letters until a larger terminal than the room's is all in it. */
  private shrinkTo(cols: number, rows: number): void {
    const room = this.room();
    if (!room) return;
    const scale = Math.min(1, room.cols / cols, room.rows / rows);
    // Cells are whole pixels: they do not shrink just as their letters do.
    for (let size = Math.ceil(this.fontSize * scale); size >= SMALLEST_FONT; size -= 0.5) {
      this.setFont(size);
      const held = this.fitter.proposeDimensions();
      if (held && held.cols >= cols && held.rows >= rows) return;
    }
  }

  private startBlinking(): void {
    if (this.blinks) this.blink.start();
    else this.blink.stop();
  }

  private setFont(size: number): void {
    if (this.terminal.options.fontSize !== size) this.terminal.options.fontSize = size;
  }

  private typed(data: string): void {
    if (data === '' || (isFocusReport(data) && this.hooks.mute())) return;
    this.hooks.input(this.encoder.encode(data));
  }
}

function optionsOf({ theme, fontSize, scrollback, screenReader, reducedMotion }: Look): ITerminalOptions {
  return { theme: terminalThemes[theme], fontSize, scrollback, screenReaderMode: screenReader, cursorBlink: !reducedMotion };
}
