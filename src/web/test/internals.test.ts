import { Terminal } from '@xterm/headless';
import type { Terminal as BrowserTerminal } from '@xterm/xterm';
import { expect, test } from 'vitest';
import { parseAtOnce, skipEmptySelections, skipHiddenBlur } from '../src/terminal/internals';

test('the pinned xterm parses a write within the call when told to', () => {
  const terminal = new Terminal({ allowProposedApi: true });
  const lines = () => terminal.buffer.active.getLine(0)?.translateToString(true);
  terminal.write('later');
  expect(lines()).toBe('');
  const told = new Terminal({ allowProposedApi: true });
  parseAtOnce(told as unknown as BrowserTerminal);
  let done = false;
  told.write('now', () => (done = true));
  expect(done).toBe(true);
  expect(told.buffer.active.getLine(0)?.translateToString(true)).toBe('now');
});

test('the selection is drawn while there is one, and once more when it is gone', () => {
  const drawn: boolean[] = [];
  const service = { hasSelection: false, refresh: () => void drawn.push(service.hasSelection) };
  skipEmptySelections(service);
  service.refresh();
  expect(drawn).toEqual([]);
  service.hasSelection = true;
  service.refresh();
  service.refresh();
  service.hasSelection = false;
  service.refresh();
  service.refresh();
  expect(drawn).toEqual([true, true, false]);
});

test('a terminal on show draws its cursor anew when it loses the focus, a hidden one when it comes on show', () => {
  const log: string[] = [];
  class Renderer {
    renderRows() {
      log.push('rows drawn');
    }
  }
  const renderer = new Renderer();
  const service = {
    _isPaused: false,
    _renderer: { value: renderer },
    refreshRows: (start: number, end: number) => void log.push(`noted ${start} to ${end}`),
    handleBlur() {
      log.push('blurred');
      renderer.renderRows();
    },
  };
  skipHiddenBlur(service as never, () => 24);
  service.handleBlur();
  service._isPaused = true;
  service.handleBlur();
  expect(log).toEqual(['blurred', 'rows drawn', 'blurred', 'noted 0 to 23']);
  renderer.renderRows();
  expect(log.at(-1)).toBe('rows drawn');
});
