/**
 * Splits a command line into arguments the way a shell reads quotes and
 * backslashes. Nothing is expanded: no variables, globs or pipes.
 */
export function splitCommandLine(line: string): string[] {
  const words: string[] = [];
  let word: string | null = null;
  let quote: '"' | "'" | null = null;
  for (let i = 0; i < line.length; i++) {
    const char = line.charAt(i);
    if (quote === "'") {
      if (char === "'") quote = null;
      else word += char;
    } else if (char === '\\') {
      const next = line.charAt(++i);
      if (next === '') throw new SyntaxError('The command ends with a backslash that stands before nothing.');
      // Between double quotes a backslash only takes the meaning from these.
      word = (word ?? '') + (quote && !'"\\$`'.includes(next) ? `\\${next}` : next);
    } else if (quote) {
      if (char === quote) quote = null;
      else word += char;
    } else if (char === '"' || char === "'") {
      quote = char;
      word ??= '';
    } else if (/\s/.test(char)) {
      if (word !== null) words.push(word);
      word = null;
    } else {
      word = (word ?? '') + char;
    }
  }
  if (quote) throw new SyntaxError(`The command has a ${quote} without its partner.`);
  if (word !== null) words.push(word);
  return words;
}

/** The other way round, for display: an argument is quoted where it has to be. */
export function joinCommandLine(words: readonly string[]): string {
  return words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(' ');
}
