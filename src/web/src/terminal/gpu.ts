/**
 * Draws a terminal with WebGL while it is visible.
 *
 * Browsers allow about 16 WebGL contexts a page, so only the visible terminal
 * holds one. Without WebGL, or when the context is taken away, xterm goes on
 * with its DOM renderer; nothing of the terminal's content is lost.
 */

import type { WebglAddon } from '@xterm/addon-webgl';
import type { Terminal } from '@xterm/xterm';

type Addon = typeof WebglAddon;

/** Null once it is clear that WebGL is of no use here. */
let addonClass: Addon | null | undefined;

/** Loaded beside the first load, not in it: the page works before this arrives. */
export async function loadGpuRenderer(): Promise<void> {
  if (addonClass !== undefined) return;
  if (!hasFastWebgl()) {
    addonClass = null;
    return;
  }
  try {
    addonClass = (await import('@xterm/addon-webgl')).WebglAddon;
  } catch {
    addonClass = null;
  }
}

/** WebGL drawn by the processor is slower than the DOM; not every browser counts that as a caveat. */
const SOFTWARE_RENDERER = /swiftshader|llvmpipe|software|basic render/i;

function hasFastWebgl(): boolean {
  const context = document.createElement('canvas').getContext('webgl2', { failIfMajorPerformanceCaveat: true });
  if (!context) return false;
  const info = context.getExtension('WEBGL_debug_renderer_info');
  const renderer = String(context.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : context.RENDERER));
  context.getExtension('WEBGL_lose_context')?.loseContext();
  return !SOFTWARE_RENDERER.test(renderer);
}

export class GpuRenderer {
  private addon: WebglAddon | null = null;

  /** `lost` is called when the terminal is drawn by the DOM again, whose cells have another width. */
  constructor(
    private readonly terminal: Terminal,
    private readonly lost: () => void,
  ) {}

  enable(): void {
    if (this.addon || !addonClass) return;
    const addon = new addonClass();
    try {
      addon.onContextLoss(() => {
        this.disable();
        this.lost();
      });
      this.terminal.loadAddon(addon);
      this.addon = addon;
    } catch {
      addon.dispose();
      addonClass = null;
    }
  }

  disable(): void {
    this.addon?.dispose();
    this.addon = null;
  }
}
