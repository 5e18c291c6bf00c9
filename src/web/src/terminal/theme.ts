import type { ITheme } from '@xterm/xterm';

/** "Oceanic Calm": the Nord palette, on its darkest ground. */
export const oceanicCalm: ITheme = {
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

export const searchColours = {
  matchBackground: '#5E6A82',
  matchOverviewRuler: '#EBCB8B',
  activeMatchBackground: '#8A7444',
  activeMatchColorOverviewRuler: '#D08770',
};

export const terminalFont =
  'ui-monospace, "JetBrains Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace';
