// Plays an agent at work: what it looks at, what it would change, and its question. Drawn anew when the terminal's size changes.

import { spawn } from 'node:child_process';

const QUESTION = 'Apply this change to prices.mjs?';

const paint = (code, text) => `\x1b[${code}m${text}\x1b[0m`;
const grey = (text) => paint(90, text);

/** Words in lines of the terminal's width, the first one after `mark`, which is two columns wide. */
function paragraph(mark, text) {
  const lines = [''];
  for (const word of text.split(' ')) {
    if (lines.at(-1).length + word.length > process.stdout.columns - 4) lines.push('');
    lines.push(`${lines.pop()}${word} `);
  }
  return lines.map((line, index) => (index === 0 ? mark : '  ') + line);
}

const step = (text) => paragraph(`${paint(32, '●')} `, text);
const result = (text) => paragraph('  ', text).map((line, index) => grey(index === 0 ? `  └ ${line.trimStart()}` : `  ${line}`));

function change(number, sign, text) {
  const width = process.stdout.columns - 6;
  const line = `${sign} ${text}`.slice(0, width).padEnd(width);
  const colour = { '-': 41, '+': '42;30' }[sign];
  return ` ${grey(String(number).padStart(3))} ${colour ? paint(colour, line) : line}`;
}

function draw() {
  const lines = [
    paint(1, `> ${process.argv[2]}`),
    '',
    ...step('Reading the code that rounds.'),
    ...result('prices.mjs, prices.check.mjs'),
    '',
    ...step('Running the tests.'),
    ...result('7 tests, 1 fails: rounds once however many lines there are'),
    '',
    ...step('Each line of a basket is rounded by itself, so many lines can be a cent too dear together. It is their sum that is to be rounded:'),
    '',
    change(4, ' ', 'export function total(lines, vat = 0.19) {'),
    change(5, '-', '  return lines.reduce((sum, { cents, count }) => sum + Math.round(cents * count * (1 + vat)), 0);'),
    change(5, '+', '  const net = lines.reduce((sum, { cents, count }) => sum + cents * count, 0);'),
    change(6, '+', '  return Math.round(net * (1 + vat));'),
    change(7, ' ', '}'),
    '',
    paint(1, QUESTION),
    '',
    paint(36, '❯ 1. Yes'),
    '  2. Yes, and do not ask again here',
    '  3. No, and tell me what to do instead',
    '',
  ];
  process.stdout.write(`\x1b[H\x1b[2J\x1b[3J${lines.join('\r\n')}\r\n`);
}

draw();
process.stdout.on('resize', draw);
process.stdin.setRawMode(true).on('data', () => process.exit());
spawn('quarterdeck', ['notify', '--needs-input', QUESTION], { stdio: 'ignore' });
