/**
 * The token that the address carries on the first visit, taken out of it before anything else runs: what stays in the
 * address bar ends in the history, in bookmarks and on shared screens.
 */

const NAME = 'token';

/** The token in a fragment, and what is left of the fragment without it. */
export function splitFragment(fragment: string): { token: string | null; rest: string } {
  const fields = fragment.replace(/^#/, '').split('&');
  const isToken = (field: string) => field.startsWith(`${NAME}=`);
  const found = fields.find(isToken);
  const rest = fields.filter((field) => field !== '' && !isToken(field)).join('&');
  return { token: found === undefined ? null : decoded(found.slice(NAME.length + 1)), rest: rest === '' ? '' : `#${rest}` };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function takeToken(): string | null {
  const { token, rest } = splitFragment(window.location.hash);
  if (token !== null) window.history.replaceState(window.history.state, '', window.location.pathname + window.location.search + rest);
  return token;
}

/** Given once: nothing keeps it. */
let arrived = typeof window === 'undefined' ? null : takeToken();

export function arrivedToken(): string | null {
  const token = arrived;
  arrived = null;
  return token;
}

/** The address was changed by hand while the page was open. */
export function watchFragment(arrive: (token: string) => void): void {
  window.addEventListener('hashchange', () => {
    const token = takeToken();
    if (token !== null) arrive(token);
  });
}
