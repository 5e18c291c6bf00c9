import { expect, test } from 'vitest';
import { joinCommandLine, splitCommandLine } from '../src/state/commandLine';

test.each([
  ['', []],
  ['  ', []],
  ['ls', ['ls']],
  [' ls  -l\t/tmp ', ['ls', '-l', '/tmp']],
  [`sh -c 'echo "a b" | wc'`, ['sh', '-c', 'echo "a b" | wc']],
  [`a"b c"d`, ['ab cd']],
  [`'' ""`, ['', '']],
  ['a\\ b \\"', ['a b', '"']],
  [`"a\\"b\\\\c\\n"`, ['a"b\\c\\n']],
  [`'a\\b'`, ['a\\b']],
])('%s', (line, words) => {
  expect(splitCommandLine(line)).toEqual(words);
});

test('a quote or backslash that stands alone is named', () => {
  expect(() => splitCommandLine(`echo "a`)).toThrow(`a " without its partner`);
  expect(() => splitCommandLine(`echo 'a`)).toThrow(`a ' without its partner`);
  expect(() => splitCommandLine('echo \\')).toThrow('backslash');
});

test('what is joined for display splits back into the same words', () => {
  const words = ['sh', '-c', `it's "so" \\ $HOME`, '', 'a b', '--x=1'];
  expect(splitCommandLine(joinCommandLine(words))).toEqual(words);
});
