/** The rule for names of sessions, the same as the server's. */

const NAME_MAX = 50;

/** What is wrong with a name, as a sentence; null when nothing is. An empty one is the server's to choose. */
export function nameProblem(name: string, taken: readonly string[]): string | null {
  const bad = [...name].find((char) => !/[A-Za-z0-9-]/.test(char));
  if (bad !== undefined) {
    return `A name has only letters (a to z, A to Z), digits and dashes; ${bad === ' ' ? 'a space' : `“${bad}”`} is none of them.`;
  }
  if (name.length > NAME_MAX) return `A name has at most ${NAME_MAX} characters; this one has ${name.length}.`;
  if (taken.includes(name)) return `There is a session named ${name} already.`;
  return null;
}

/** The name the server would choose. */
export function suggestedName(taken: readonly string[]): string {
  let number = 1;
  while (taken.includes(`session-${number}`)) number++;
  return `session-${number}`;
}
