/**
 * Draws a terminal with WebGL while it is visible.
 *
 * Browsers allow about 16 WebGL contexts a page, so only the visible terminal
 * holds one. Without WebGL, or when the context is taken away, xterm goes on
 * with its DOM renderer; nothing of the terminal's content is lost.
 */

import type { Terminal } from '@xterm/xterm';
import type { WebglAddon } from '@xterm/addon-webgl';

/** Once WebGL has failed there is no use in asking again at every tab change. */
let unavailable = false;

export class GpuRenderer {
  private addon: WebglAddon | null = null;
  private wanted = false;

  constructor(private readonly terminal: Terminal) {}

  async enable(): Promise<void> {
    this.wanted = true;
    if (unavailable || this.addon) return;
    try {
      // Loaded on demand: the page is usable before this arrives.
      const { WebglAddon } = await import('@xterm/addon-webgl');
      if (!this.wanted || this.addon) return;
      const addon = new WebglAddon();
      addon.onContextLoss(() => this.disable());
      this.terminal.loadAddon(addon);
      this.addon = addon;
    } catch {
      unavailable = true;
    }
  }

  disable(): void {
    this.wanted = false;
    this.addon?.dispose();
    this.addon = null;
  }
}
