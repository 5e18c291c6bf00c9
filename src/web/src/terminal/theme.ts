import type { ISearchDecorationOptions } from '@xterm/addon-search';
import type { ITheme } from '@xterm/xterm';

export type ThemeName = 'oceanic-calm' | 'light' | 'high-contrast';

/** "Oceanic Calm": the Nord palette, on its darkest ground. */
const oceanicCalm: ITheme = {
  background: '#2E3440',
  foreground: '#D8DEE9',
  cursor: '#88C0D0',
  cursorAccent: '#2E3440',
  selectionBackground: '#4C566A',
  selectionInactiveBackground: '#434C5E',
  black: '#3B4252',
  red: '#BF616A',
  green: '#A3BE8C',
  yellow: '#EBCB8B',
  blue: '#81A1C1',
  magenta: '#B48EAD',
  cyan: '#88C0D0',
  white: '#E5E9F0',
  brightBlack: '#7B88A1',
  brightRed: '#D0737C',
  brightGreen: '#B4CDA0',
  brightYellow: '#F0D8A3',
  brightBlue: '#8FB1D1',
  brightMagenta: '#C4A1BE',
  brightCyan: '#8FBCBB',
  brightWhite: '#ECEFF4',
};

/** Dark ink of the same hues on paper. "White" stays readable: programs print text in it. */
const light: ITheme = {
  background: '#F7F8FB',
  foreground: '#2E3440',
  cursor: '#3F6B96',
  cursorAccent: '#F7F8FB',
  selectionBackground: '#C3D3E6',
  selectionInactiveBackground: '#D9E1EB',
  black: '#2E3440',
  red: '#A8323E',
  green: '#4A6B2F',
  yellow: '#7A5700',
  blue: '#2F5F94',
  magenta: '#7C4775',
  cyan: '#20656F',
  white: '#5B6577',
  brightBlack: '#66708A',
  brightRed: '#B93E4B',
  brightGreen: '#527735',
  brightYellow: '#866000',
  brightBlue: '#386CA6',
  brightMagenta: '#8A5183',
  brightCyan: '#28707B',
  brightWhite: '#3B4252',
};

/** Every colour at 7:1 or more on black, but black itself. */
const highContrast: ITheme = {
  background: '#000000',
  foreground: '#FFFFFF',
  cursor: '#FFE14D',
  cursorAccent: '#000000',
  selectionBackground: '#FFFFFF',
  selectionForeground: '#000000',
  selectionInactiveBackground: '#C0C0C0',
  black: '#000000',
  red: '#FF8080',
  green: '#7DFF7D',
  yellow: '#FFE14D',
  blue: '#8CB8FF',
  magenta: '#FF9BFF',
  cyan: '#6EE7FF',
  white: '#FFFFFF',
  brightBlack: '#B0B0B0',
  brightRed: '#FFA3A3',
  brightGreen: '#A6FFA6',
  brightYellow: '#FFEE99',
  brightBlue: '#B3D1FF',
  brightMagenta: '#FFC2FF',
  brightCyan: '#A6F1FF',
  brightWhite: '#FFFFFF',
};

export const terminalThemes: Record<ThemeName, ITheme> = { 'oceanic-calm': oceanicCalm, light, 'high-contrast': highContrast };

export const searchColours: Record<ThemeName, ISearchDecorationOptions> = {
  'oceanic-calm': {
    matchBackground: '#5E6A82',
    matchOverviewRuler: '#EBCB8B',
    activeMatchBackground: '#8A7444',
    activeMatchColorOverviewRuler: '#D08770',
  },
  light: {
    matchBackground: '#F3E3B8',
    matchOverviewRuler: '#B07D12',
    activeMatchBackground: '#F0B75E',
    activeMatchColorOverviewRuler: '#99313B',
  },
  'high-contrast': {
    matchBackground: '#5C5200',
    matchOverviewRuler: '#FFE14D',
    activeMatchBackground: '#005C73',
    activeMatchColorOverviewRuler: '#6EE7FF',
  },
};

export const terminalFont =
  'ui-monospace, "JetBrains Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace';
