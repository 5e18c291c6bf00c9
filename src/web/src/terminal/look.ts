/** How page and terminals look: what the user has set, and where that is left open what the system asks for. */

import type { Settings } from '../state/settings';
import { Store } from '../state/store';
import type { ThemeName } from './theme';

export interface Look {
  readonly theme: ThemeName;
  readonly fontSize: number;
  readonly scrollback: number;
  readonly screenReader: boolean;
  readonly reducedMotion: boolean;
}

/** What the system asks for. */
export interface Wishes {
  readonly light: boolean;
  readonly contrast: boolean;
  readonly reducedMotion: boolean;
}

export function lookOf({ theme, fontSize, scrollback, screenReader }: Settings, wishes: Wishes): Look {
  const wished = wishes.contrast ? 'high-contrast' : wishes.light ? 'light' : 'oceanic-calm';
  return { theme: theme === 'system' ? wished : theme, fontSize, scrollback, screenReader, reducedMotion: wishes.reducedMotion };
}

export function watchLook(settings: Store<Settings>): Store<Look> {
  const light = window.matchMedia('(prefers-color-scheme: light)');
  const contrast = window.matchMedia('(prefers-contrast: more)');
  const motion = window.matchMedia('(prefers-reduced-motion: reduce)');
  const now = () => lookOf(settings.get(), { light: light.matches, contrast: contrast.matches, reducedMotion: motion.matches });
  const look = new Store(now());
  const refresh = () => look.update(now);
  settings.subscribe(refresh);
  for (const query of [light, contrast, motion]) query.addEventListener('change', refresh);
  return look;
}

/** The page's own colours follow `data-theme` in app.css. */
export function dressPage(look: Store<Look>): void {
  const dress = () => {
    const root = document.documentElement;
    root.dataset['theme'] = look.get().theme;
    const ground = getComputedStyle(root).getPropertyValue('--color-deep').trim();
    for (const meta of document.querySelectorAll('meta[name=theme-color]')) meta.setAttribute('content', ground);
  };
  look.subscribe(dress);
  dress();
}
