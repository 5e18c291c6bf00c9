import { KeyRound, LoaderCircle } from 'lucide-react';
import { type FormEvent, useEffect, useRef, useState } from 'react';
import { useApp } from '../app';
import { useWebSocket } from '../hooks/useWebSocket';

/** Asks for the token, and says what is wrong with it. */
export function LoginForm() {
  const { gate } = useApp();
  const { login } = useWebSocket();
  const [token, setToken] = useState('');
  const field = useRef<HTMLInputElement>(null);
  const busy = login.phase === 'trying';

  // What was wrong is typed over.
  useEffect(() => {
    if (login.phase === 'needed' && login.error !== '') field.current?.select();
  }, [login]);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (token.trim() === '') field.current?.focus();
    else if (!busy) void gate.logIn(token.trim());
  };

  return (
    <main className="flex h-full items-center justify-center overflow-auto p-4">
      <form className="w-full max-w-md" onSubmit={submit} aria-labelledby="login-title">
        <h1 id="login-title" className="mb-4 flex items-center gap-2 text-lg font-semibold text-bright">
          <KeyRound aria-hidden className="size-5 text-accent" /> Log in to quarterdeck
        </h1>
        <label htmlFor="login-token" className="font-medium">
          Token
        </label>
        <input
          ref={field}
          id="login-token"
          type="password"
          className="field"
          autoComplete="current-password"
          autoCapitalize="off"
          autoFocus
          spellCheck={false}
          value={token}
          aria-invalid={login.error !== ''}
          aria-describedby="login-error login-hint"
          onChange={(event) => setToken(event.target.value)}
        />
        <p id="login-error" role="alert" className="mt-1 min-h-5 text-error-text">
          {login.error}
        </p>
        <p id="login-hint" className="mt-1 text-sm text-muted">
          quarterdeck prints an address with its token when it starts: look for “#token=” in <code>docker logs</code>, or ask who runs it for a
          token of your own.
        </p>
        <button type="submit" className="button-primary mt-4" aria-disabled={busy}>
          {busy && <LoaderCircle aria-hidden className="size-4 animate-spin" />} Log in
        </button>
      </form>
    </main>
  );
}
