import { useId } from 'react';

interface Props {
  label: string;
  placeholder?: string;
  hint: string;
  value: string;
  /** What is wrong with the value; empty when nothing is. */
  error: string;
  /** Takes the keyboard, with its text selected, when it appears. */
  first?: boolean;
  onChange(value: string): void;
}

/** A labelled field with a note below it: a hint, or what is wrong. */
export function TextField({ label, placeholder, hint, value, error, first, onChange }: Props) {
  const id = useId();
  return (
    <div>
      <label htmlFor={id} className="font-medium">
        {label}
      </label>
      <input
        id={id}
        type="text"
        className="field"
        autoComplete="off"
        autoCapitalize="off"
        autoFocus={first}
        spellCheck={false}
        placeholder={placeholder}
        value={value}
        aria-invalid={error !== ''}
        aria-describedby={`${id}-note`}
        onFocus={first ? (event) => event.target.select() : undefined}
        onChange={(event) => onChange(event.target.value)}
      />
      {error ? (
        <p id={`${id}-note`} role="alert" className="mt-1 text-error-text">
          {error}
        </p>
      ) : (
        <p id={`${id}-note`} className="mt-1 text-xs text-muted">
          {hint}
        </p>
      )}
    </div>
  );
}
