// Numbered lines: what is lost, doubled or out of order shows by itself.

import assert from 'node:assert/strict';

/** A command that prints `count` numbered lines, then `end`, and stays; with `pause`, that many seconds after each 20. */
export function numberedLines(count, pause) {
  const print = pause
    ? `for ((i = 1; i <= ${count}; i++)); do echo "line-$i"; ((i % 20)) || sleep ${pause}; done`
    : `seq -f line-%.0f ${count}`;
  return ['/bin/bash', '-c', `${print}; echo end; read -r x`];
}

/** Every line from `first` to `count` once, in order, then `end`. */
export function assertNumberedLines(lines, count, first = 1) {
  const expected = Array.from({ length: count - first + 1 }, (_, i) => `line-${first + i}`).concat('end');
  const wrong = expected.findIndex((line, i) => lines[i] !== line);
  assert.equal(
    wrong < 0 ? '' : `line ${wrong + 1} should be ${expected[wrong]}, seen around it: ${lines.slice(Math.max(0, wrong - 2), wrong + 3).join(' | ')}`,
    '',
  );
  assert.equal(lines.length, expected.length);
}
