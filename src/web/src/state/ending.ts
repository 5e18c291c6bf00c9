/** How a session's program ended, in words. */

import type { Session } from '../protocol/messages';
import { formatAge } from './format';

/** As a part of a sentence: "ended with code 1", "killed by the kernel: out of memory". */
export function endingWords({ exitReason, signal, exitCode, status }: Session): string {
  if (exitReason) return exitReason;
  // What was killed with the container left no word.
  if (status === 'idle') return 'ended with the container';
  if (signal !== undefined && signal !== null) return `killed by ${signal}`;
  if (exitCode !== undefined && exitCode !== null) return `ended with code ${exitCode}`;
  return status === 'error' ? 'failed' : 'ended';
}

/** With the time it ran, where this page has seen the start. */
export function endingWithTime(session: Session): string {
  const { startedAt, lastActivity } = session;
  const ran = startedAt && lastActivity ? Date.parse(lastActivity) - Date.parse(startedAt) : NaN;
  const time = ran < 10_000 ? 'a few seconds' : formatAge(ran);
  return ran >= 0 ? `${endingWords(session)} after ${time}` : endingWords(session);
}

/** With a verb before it, where it has none. */
export function pastTense(ending: string): string {
  return /^(killed|stopped) /.test(ending) ? `was ${ending}` : ending;
}

/** How a session without a process came to that, as a sentence. */
export function endingSentence(session: Session): string {
  const { status, signal, exitCode, exitReason } = session;
  if (status === 'idle') return `The container was started again; the program ${pastTense(endingWords(session))}. Resume starts it again in the same place.`;
  if (exitReason && /^(killed|stopped) /.test(exitReason)) return `The program was ${exitReason}.`;
  if (signal !== undefined && signal !== null) return `The program was ended by signal ${signal}.`;
  if (exitCode !== undefined && exitCode !== null) return `The program ended with exit code ${exitCode}.`;
  if (exitReason) return `The program ended: ${exitReason}.`;
  return status === 'error' ? 'The program failed.' : 'The program has ended.';
}
