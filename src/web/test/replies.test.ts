import { Terminal } from '@xterm/headless';
import { expect, test } from 'vitest';
import { fixEraseAbove } from '../src/terminal/eraseFix';
import { isFocusReport, muteHistory } from '../src/terminal/replies';

/** xterm's own parser, without a browser. */
function terminal(replaying: () => boolean) {
  const term = new Terminal({ allowProposedApi: true });
  fixEraseAbove(term as unknown as Parameters<typeof fixEraseAbove>[0]);
  const said: string[] = [];
  muteHistory(term as unknown as Parameters<typeof muteHistory>[0], replaying);
  term.onData((data) => said.push(data));
  return { said, term, write: (data: string) => new Promise<void>((done) => term.write(data, done)) };
}

const questions: Record<string, string> = {
  'primary attributes': '\x1b[c',
  'secondary attributes': '\x1b[>c',
  status: '\x1b[5n',
  'cursor position': '\x1b[6n',
  'cursor position, private': '\x1b[?6n',
  'ansi mode': '\x1b[4$p',
  'private mode': '\x1b[?2004$p',
  'status string': '\x1bP$qm\x1b\\',
};

test.each(Object.entries(questions))('%s is answered live and not on a replay', async (_name, question) => {
  let replaying = true;
  const { said, write } = terminal(() => replaying);
  await write(question);
  expect(said).toEqual([]);
  replaying = false;
  await write(question);
  expect(said).toHaveLength(1);
});

test('no control sequence at all makes the terminal speak on a replay', async () => {
  const { said, write } = terminal(() => true);
  const finals = Array.from({ length: 0x7e - 0x40 + 1 }, (_, i) => String.fromCharCode(0x40 + i));
  const intermediates = ['', ...Array.from({ length: 16 }, (_, i) => String.fromCharCode(0x20 + i))];
  for (const prefix of ['', '<', '=', '>', '?']) {
    for (const intermediate of intermediates) {
      let all = '';
      for (const final of finals) {
        for (const params of ['', '0', '1', '5', '6', '14', '16', '18', '21', '25', '996', '2026']) {
          all += `\x1b[${prefix}${params}${intermediate}${final}`;
          all += `\x1bP${prefix}${params}${intermediate}${final}m\x1b\\`;
        }
      }
      await write(all);
    }
  }
  for (const final of finals) await write(`\x1b${final}\x1b\\`);
  for (let id = 0; id < 200; id++) await write(`\x1b]${id};?\x07\x1b]${id};1;?\x07`);
  await write('\x05');
  expect(said).toEqual([]);
});

test('erase above in the last cell does not stop the terminal', async () => {
  const { term, write } = terminal(() => false);
  await write('full\x1b[24;80H');
  await write('\x1b[1J\x1b[Hnext');
  const screen = Array.from({ length: 24 }, (_, row) => term.buffer.active.getLine(row)?.translateToString(true)).join('');
  expect(screen).toBe('next');
});

test('setting colours is not a question and still works on a replay', async () => {
  const { write, term } = terminal(() => true);
  const seen: string[] = [];
  // Asked after the guard, as xterm's own handler is.
  term.parser.registerOscHandler(11, (data) => {
    seen.push(data);
    return false;
  });
  muteHistory(term as unknown as Parameters<typeof muteHistory>[0], () => true);
  await write('\x1b]11;#2e3440\x07\x1b]11;?\x07');
  expect(seen).toEqual(['#2e3440']);
});

test('what the user types passes on a replay', () => {
  const { said, term } = terminal(() => true);
  // Shift+F3, byte for byte what a cursor report at row 1 looks like.
  term.input('\x1b[1;2R');
  expect(said).toEqual(['\x1b[1;2R']);
  expect(isFocusReport('\x1b[I')).toBe(true);
  expect(isFocusReport('\x1b[A')).toBe(false);
});
