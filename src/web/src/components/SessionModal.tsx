import { type FormEvent, useId, useState } from 'react';
import { useApp } from '../app';
import { ApiError, type NewSession } from '../net/api';
import { describeError } from '../state/actions';
import { splitCommandLine } from '../state/commandLine';
import { Dialog } from './Dialog';

type Field = 'name' | 'command' | 'cwd';
type Problem = { field: Field | null; text: string };
type Values = Record<Field, string>;

interface Props {
  /** `done`: a session was created and the user goes on in its terminal. */
  onClose(done: boolean): void;
}

export function SessionModal({ onClose }: Props) {
  const { actions, screens, store } = useApp();
  const [values, setValues] = useState<Values>({ name: '', command: '', cwd: '' });
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const spec = readForm(values);
    if ('text' in spec) {
      setProblem(spec);
      return;
    }
    setBusy(true);
    setProblem(null);
    try {
      // Born in the size it will be shown in, where that is known.
      const size = screens.get(store.get().activeId ?? '')?.visibleSize();
      await actions.create({ ...spec, ...size });
      onClose(true);
    } catch (error) {
      setProblem({ field: error instanceof ApiError ? fieldOf(error) : null, text: describeError(error) });
      setBusy(false);
    }
  };

  const field = (name: Field, label: string, placeholder: string, hint: string) => (
    <TextField
      label={label}
      placeholder={placeholder}
      hint={hint}
      value={values[name]}
      error={problem?.field === name ? problem.text : ''}
      onChange={(value) => setValues({ ...values, [name]: value })}
    />
  );
  return (
    <Dialog title="New session" onClose={() => onClose(false)}>
      <form onSubmit={(event) => void submit(event)} noValidate className="flex flex-col gap-4">
        {field('name', 'Name', 'session-1', 'Letters, digits and dashes. Left empty, the lowest free number is taken.')}
        {field('command', 'Command', 'the default of this container', 'A program and its arguments. Quotes work as in a shell; for pipes and variables use sh -c.')}
        {field('cwd', 'Directory', 'the workspace', 'A path in the container; a relative one starts in the workspace.')}
        {problem && problem.field === null && (
          <p role="alert" className="text-error-text">
            {problem.text}
          </p>
        )}
        <div className="flex justify-end gap-2">
          <button type="button" className="button" onClick={() => onClose(false)}>
            Cancel
          </button>
          <button type="submit" className="button-primary" disabled={busy}>
            {busy ? 'Starting…' : 'Create'}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

interface TextFieldProps {
  label: string;
  placeholder: string;
  hint: string;
  value: string;
  error: string;
  onChange(value: string): void;
}

function TextField({ label, placeholder, hint, value, error, onChange }: TextFieldProps) {
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
        spellCheck={false}
        placeholder={placeholder}
        value={value}
        aria-invalid={error !== ''}
        aria-describedby={`${id}-note`}
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

/** Checks only what can't be sent; everything else is the server's to judge. */
function readForm({ name, command, cwd }: Values): NewSession | Problem {
  const spec: NewSession = {};
  if (name.trim()) spec.name = name.trim();
  if (cwd.trim()) spec.cwd = cwd.trim();
  try {
    const words = splitCommandLine(command);
    if (words.length > 0) spec.command = words;
  } catch (error) {
    return { field: 'command', text: describeError(error) };
  }
  return spec;
}

/** The field an answer is about, where its code and words tell; null shows it below the form. */
function fieldOf(error: ApiError): Field | null {
  if (error.code === 'INVALID_NAME' || error.code === 'NAME_TAKEN') return 'name';
  if (error.code === 'SPAWN_FAILED') {
    // By the stage, not by the message: "no such file or directory" may be either.
    const { stage } = (error.details ?? {}) as { stage?: string };
    if (stage === 'chdir') return 'cwd';
    return stage === 'exec' ? 'command' : null;
  }
  if (error.code !== 'INVALID_REQUEST') return null;
  if (/directory/i.test(error.message)) return 'cwd';
  return /command/i.test(error.message) ? 'command' : null;
}
