// @vitest-environment happy-dom
import { act } from 'react';
import { afterEach, expect, test, vi } from 'vitest';
import { SettingsButton } from '../src/components/SettingsButton';
import { shortcutFor } from '../src/hooks/useShortcuts';
import { defaultSettings, openSettings, readSettings, withFontStep } from '../src/state/settings';
import { lookOf } from '../src/terminal/look';
import { terminalThemes } from '../src/terminal/theme';
import { cleanUp, click, find, render } from './support/render';

afterEach(cleanUp);

test('settings are kept for the next visit', () => {
  openSettings().update((settings) => ({ ...settings, theme: 'light', fontSize: 20, scrollback: 50_000, screenReader: true }));
  expect(openSettings().get()).toMatchObject({ theme: 'light', fontSize: 20, scrollback: 50_000, screenReader: true });
});

test('what makes no sense of what was kept is left out, the rest counts', () => {
  for (const damaged of [null, 7, 'light', [], { theme: 'pink', fontSize: 'big', scrollback: 3, screenReader: 'yes' }]) {
    expect(readSettings(damaged)).toEqual(defaultSettings);
  }
  expect(readSettings({ fontSize: 400, theme: 'high-contrast' })).toMatchObject({ fontSize: 32, theme: 'high-contrast' });
  expect(readSettings({ fontSize: NaN }).fontSize).toBe(14);
});

test('letters grow and shrink up to their bounds, and go back', () => {
  const at = (fontSize: number) => ({ ...defaultSettings, fontSize });
  expect(withFontStep(at(14), 1).fontSize).toBe(15);
  expect(withFontStep(at(32), 1).fontSize).toBe(32);
  expect(withFontStep(at(8), -1).fontSize).toBe(8);
  expect(withFontStep(at(30), 0).fontSize).toBe(14);
});

test('the system decides where the user does not', () => {
  const none = { light: false, contrast: false, reducedMotion: false };
  expect(lookOf(defaultSettings, none).theme).toBe('oceanic-calm');
  expect(lookOf(defaultSettings, { ...none, light: true }).theme).toBe('light');
  expect(lookOf(defaultSettings, { ...none, light: true, contrast: true }).theme).toBe('high-contrast');
  expect(lookOf({ ...defaultSettings, theme: 'oceanic-calm' }, { ...none, light: true }).theme).toBe('oceanic-calm');
});

/** Of WCAG: 1 is no contrast, 21 black on white. */
function contrast(a: string, b: string): number {
  const luminance = (colour: string) => {
    const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
      const part = parseInt(colour.slice(at, at + 2), 16) / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const [dark = 0, bright = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (bright + 0.05) / (dark + 0.05);
}

test.each([
  ['light', 4.5],
  ['high-contrast', 7],
] as const)('every text colour of the %s theme can be read on its ground', (name, least) => {
  const { background = '', black: _black, selectionForeground: _selected, ...others } = terminalThemes[name];
  const texts = Object.entries(others).filter(([key, value]) => typeof value === 'string' && !/selection|cursorAccent/.test(key));
  expect(texts.length).toBe(17);
  const unreadable = texts.filter(([, value]) => contrast(value as string, background) < least);
  expect(unreadable).toEqual([]);
});

test('the dialog changes settings at once', () => {
  const page = render(<SettingsButton />);
  click('[aria-label=Settings]');
  const choose = (text: string) => act(() => [...document.querySelectorAll('label')].find((label) => label.textContent === text)?.querySelector('input')?.click());
  click('[aria-label=Larger]');
  expect(page.settings.get().fontSize).toBe(15);
  expect(find('[aria-label="As at first"]').hasAttribute('disabled')).toBe(false);
  choose('Light');
  choose('Screen reader mode');
  expect(page.settings.get()).toMatchObject({ theme: 'light', screenReader: true });
});

test('Ctrl or Cmd with plus, minus and zero are for the letters, but only in a terminal', () => {
  document.body.innerHTML = '<div role="tabpanel"><p></p></div><i></i>';
  const fontStep = vi.fn();
  const press = (key: string, modifiers: object, target = find('p')) =>
    shortcutFor({ key, code: '', ctrlKey: false, metaKey: false, shiftKey: false, altKey: false, target, ...modifiers } as unknown as KeyboardEvent)?.({ fontStep } as never);
  press('+', { ctrlKey: true, shiftKey: true });
  press('=', { metaKey: true });
  press('-', { ctrlKey: true });
  press('0', { ctrlKey: true });
  expect(fontStep.mock.calls).toEqual([[1], [1], [-1], [0]]);
  press('-', {});
  press('_', { ctrlKey: true, shiftKey: true });
  press('-', { ctrlKey: true, altKey: true });
  press('-', { ctrlKey: true }, find('i'));
  expect(fontStep).toHaveBeenCalledTimes(4);
});
