/** What the user has set for this browser, kept for later visits. */

import { remember, remembered } from './storage';
import { Store } from './store';

export const THEME_CHOICES = ['system', 'oceanic-calm', 'light', 'high-contrast'] as const;
export type ThemeChoice = (typeof THEME_CHOICES)[number];

export const SCROLLBACK_CHOICES = [1_000, 10_000, 50_000, 100_000] as const;

export const FONT_SIZE = { smallest: 8, normal: 14, largest: 32 } as const;

export interface Settings {
  readonly theme: ThemeChoice;
  /** Of the terminals, pixels. */
  readonly fontSize: number;
  /** Lines of output a terminal keeps above its screen. */
  readonly scrollback: number;
  /** Terminals also write their text where screen readers find it, which costs speed. */
  readonly screenReader: boolean;
  /** Sessions that end or need a person are told outside the page, too. */
  readonly notify: boolean;
}

export const defaultSettings: Settings = {
  theme: 'system',
  fontSize: FONT_SIZE.normal,
  scrollback: 10_000,
  screenReader: false,
  notify: false,
};

const KEY = 'settings';

/** The settings of the last visit; every later change is kept. */
export function openSettings(): Store<Settings> {
  const settings = new Store(readSettings(remembered(KEY)));
  settings.subscribe(() => remember(KEY, settings.get()));
  return settings;
}

/** What another version of the page, or a hand, left there may be anything: each value counts only if it makes sense. */
export function readSettings(kept: unknown): Settings {
  const value = (typeof kept === 'object' && kept !== null ? kept : {}) as Record<string, unknown>;
  const { theme, fontSize, scrollback, screenReader, notify } = value;
  return {
    theme: THEME_CHOICES.find((choice) => choice === theme) ?? defaultSettings.theme,
    fontSize: typeof fontSize === 'number' ? withinFontSizes(fontSize) : defaultSettings.fontSize,
    scrollback: SCROLLBACK_CHOICES.find((choice) => choice === scrollback) ?? defaultSettings.scrollback,
    screenReader: screenReader === true,
    notify: notify === true,
  };
}

/** A step of 0 goes back to the size of the first visit. */
export function withFontStep(settings: Settings, step: number): Settings {
  const fontSize = step === 0 ? FONT_SIZE.normal : withinFontSizes(settings.fontSize + step);
  return fontSize === settings.fontSize ? settings : { ...settings, fontSize };
}

function withinFontSizes(size: number): number {
  return Number.isFinite(size) ? Math.min(FONT_SIZE.largest, Math.max(FONT_SIZE.smallest, Math.round(size))) : FONT_SIZE.normal;
}
