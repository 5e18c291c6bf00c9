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
import type { ScreenHooks } from '../net/client';
import type { StreamSink } from '../net/sessionStream';
import { fixEraseAbove } from './eraseFix';
import { GpuRenderer, loadGpuRenderer } from './gpu';
import type { Look } from './look';
import { takePastes } from './paste';
import { isFocusReport, muteHistory } from './replies';
import { terminalFont, terminalThemes } from './theme';

const RESIZE_DELAY_MS = 100;

export class Screen implements StreamSink {
  readonly element = document.createElement('div');
  readonly terminal: Terminal;
  readonly search = new SearchAddon();
  private readonly fitter = new FitAddon();
  private readonly gpu: GpuRenderer;
  private readonly sizeWatch = new ResizeObserver(() => this.fit());
  private readonly encoder = new TextEncoder();
  private resizeTimer: ReturnType<typeof setTimeout> | undefined;
  private visible = false;

  constructor(
    private readonly hooks: ScreenHooks,
    look: Look,
  ) {
    this.element.className = 'terminal-screen';
    this.terminal = new Terminal({
      // For the search addon's highlights and for unicode 11.
      allowProposedApi: true,
      fontFamily: terminalFont,
      lineHeight: 1.15,
      macOptionIsMeta: true,
      ...optionsOf(look),
    });
    this.gpu = new GpuRenderer(this.terminal, () => this.fit());
    this.terminal.loadAddon(this.fitter);
    this.terminal.loadAddon(this.search);
    this.terminal.loadAddon(new WebLinksAddon((_event, uri) => window.open(uri, '_blank', 'noopener,noreferrer')));
    // East Asian and emoji widths as the C libraries of the last years count them.
    this.terminal.loadAddon(new Unicode11Addon());
    this.terminal.unicode.activeVersion = '11';
    fixEraseAbove(this.terminal);
    muteHistory(this.terminal, hooks.replaying);
    takePastes(this.element, this.terminal, hooks.paste);
    this.terminal.onData((data) => this.typed(data));
    this.terminal.onBinary((data) => hooks.input(Uint8Array.from(data, (char) => char.charCodeAt(0))));
  }

  /** Puts the terminal on show in `host`; the first time this is when xterm is really opened. */
  show(host: HTMLElement): void {
    host.append(this.element);
    this.visible = true;
    if (!this.terminal.element) this.terminal.open(this.element);
    this.sizeWatch.observe(this.element);
    // Before fitting: a cell's width depends on who draws it.
    this.gpu.enable();
    this.fit();
    void loadGpuRenderer().then(() => this.gpuLoaded());
  }

  private gpuLoaded(): void {
    if (!this.visible) return;
    this.gpu.enable();
    this.fit();
  }

  /** Takes on another look; the size of the letters decides how many fit. */
  wear(look: Look): void {
    Object.assign(this.terminal.options, optionsOf(look));
    this.fit();
  }

  hide(): void {
    this.visible = false;
    clearTimeout(this.resizeTimer);
    this.sizeWatch.disconnect();
    this.gpu.disable();
  }

  focus(): void {
    this.terminal.focus();
  }

  dispose(): void {
    this.hide();
    this.terminal.dispose();
    this.element.remove();
  }

  /** Fits the terminal to its element and lets the session know, once it has come to rest. */
  fit(): void {
    const size = this.visible ? this.fitter.proposeDimensions() : undefined;
    if (!size || !(size.cols > 0) || !(size.rows > 0)) return;
    this.resize(size.cols, size.rows);
    clearTimeout(this.resizeTimer);
    this.resizeTimer = setTimeout(() => this.hooks.resized(size.cols, size.rows), RESIZE_DELAY_MS);
  }

  /** The size on show; undefined while hidden, when it may be out of date. */
  visibleSize(): { cols: number; rows: number } | undefined {
    return this.visible ? { cols: this.terminal.cols, rows: this.terminal.rows } : undefined;
  }

  write(bytes: Uint8Array, done: () => void): void {
    this.parseAtOnceWhenPageIsHidden();
    this.terminal.write(bytes, done);
  }

  skipped(bytes: number, done: () => void): void {
    // CAN ends a control sequence that the gap may have cut in half.
    const note = `${bytes.toLocaleString('en')} bytes skipped: they are no longer kept`;
    this.terminal.write(`\x18\x1b[0m\r\n\x1b[33m[${note}]\x1b[0m\r\n`, done);
  }

  resize(cols: number, rows: number): void {
    if (this.terminal.cols !== cols || this.terminal.rows !== rows) this.terminal.resize(cols, rows);
  }

  reset(): void {
    // As bytes, not by `terminal.reset()`: older writes may still be queued,
    // and this has to come behind them.
    this.terminal.write('\x18\x1bc');
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

  private typed(data: string): void {
    if (data === '' || (isFocusReport(data) && this.hooks.replaying())) return;
    this.hooks.input(this.encoder.encode(data));
  }

  /**
   * xterm parses in timers, and browsers run a hidden page's timers once a
   * second: our acks would come so late that the program itself is slowed.
   * After user input xterm parses the next write at once, so an empty input
   * does it. Not when it would clear a selection or scroll what is looked at.
   */
  private parseAtOnceWhenPageIsHidden(): void {
    if (!document.hidden || this.terminal.hasSelection()) return;
    const { baseY, viewportY } = this.terminal.buffer.active;
    if (baseY === viewportY) this.terminal.input('', true);
  }
}

function optionsOf({ theme, fontSize, scrollback, screenReader, reducedMotion }: Look): ITerminalOptions {
  return { theme: terminalThemes[theme], fontSize, scrollback, screenReaderMode: screenReader, cursorBlink: !reducedMotion };
}
