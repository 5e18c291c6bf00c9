/**
 * Draws terminals with WebGL.
 *
 * Browsers allow about 16 WebGL contexts a page, and each takes tens of
 * milliseconds to make, so the terminals that were on show last keep theirs. A
 * hidden one does not draw. Without WebGL, or when the context is taken away, xterm goes on
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

const MOST_CONTEXTS = 4;

/** Those that have a context; the one on show last is at the end. */
const holders: GpuRenderer[] = [];

export class GpuRenderer {
  private addon: WebglAddon | null = null;

  /** `lost` is called when the terminal is drawn by the DOM again, whose cells have another width. */
  constructor(
    private readonly terminal: Terminal,
    private readonly lost: () => void,
  ) {}

  get draws(): boolean {
    return this.addon !== null;
  }

  /** For a terminal that comes on show. Says whether it is drawn in another way from now on. */
  enable(): boolean {
    if (this.addon) this.cameLast();
    if (this.addon || !addonClass) return false;
    const addon = new addonClass();
    try {
      addon.onContextLoss(() => {
        this.disable();
        this.lost();
      });
      this.terminal.loadAddon(addon);
      this.addon = addon;
      this.cameLast();
      if (holders.length > MOST_CONTEXTS) holders[0]?.disable();
      return true;
    } catch {
      addon.dispose();
      addonClass = null;
      return false;
    }
  }

  disable(): void {
    this.leave();
    this.addon?.dispose();
    this.addon = null;
  }

  private cameLast(): void {
    this.leave();
    holders.push(this);
  }

  private leave(): void {
    const place = holders.indexOf(this);
    if (place >= 0) holders.splice(place, 1);
  }
}
