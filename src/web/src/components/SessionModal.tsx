import { type FormEvent, useState } from 'react';
import { useApp } from '../app';
import { useWebSocket } from '../hooks/useWebSocket';
import { ApiError, type NewSession } from '../net/api';
import { describeError } from '../state/actions';
import { CRITICAL_TOOLTIP, isMemoryCritical, limitReached } from '../state/admission';
import { splitCommandLine } from '../state/commandLine';
import { nameProblem, suggestedName } from '../state/sessionName';
import { Dialog } from './Dialog';
import { TextField } from './TextField';

type Field = 'name' | 'command' | 'cwd';
type Problem = { field: Field | null; text: string };
type Values = Record<Field, string>;

interface Props {
  /** `done`: a session was created and the user goes on in its terminal. */
  onClose(done: boolean): void;
}

export function SessionModal({ onClose }: Props) {
  const { actions, screens, store } = useApp();
  const state = useWebSocket();
  const [suggestion] = useState(() => suggestedName(state.sessions.map(({ name }) => name)));
  const [values, setValues] = useState<Values>({ name: suggestion, command: '', cwd: '' });
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const critical = isMemoryCritical(state);

  // The suggestion itself is not sent: if somebody takes it first, the server takes the next.
  const typedName = values.name === suggestion ? '' : values.name;
  // While the answer is on its way, the session may be in the list already.
  const badName = busy ? null : nameProblem(typedName, state.sessions.map(({ name }) => name));

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (badName || critical || busy) return;
    const spec = readForm({ ...values, name: typedName });
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

  const field = (name: Field, error: string | null) => ({
    value: values[name],
    error: error ?? (problem?.field === name ? problem.text : ''),
    onChange: (value: string) => {
      setValues({ ...values, [name]: value });
      if (problem?.field === name) setProblem(null);
    },
  });
  const refusal = problem && problem.field === null ? problem.text : null;
  return (
    <Dialog title="New session" onClose={() => onClose(false)}>
      <form onSubmit={(event) => void submit(event)} noValidate className="flex flex-col gap-4">
        <TextField label="Name" first hint="Letters, digits and dashes. Left empty, the lowest free number is taken." {...field('name', badName)} />
        <TextField
          label="Command"
          placeholder="the default of this container"
          hint="A program and its arguments. Quotes work as in a shell; for pipes and variables use sh -c."
          {...field('command', null)}
        />
        <TextField
          label="Directory"
          placeholder="the workspace"
          hint="A path in the container; a relative one starts in the workspace."
          {...field('cwd', null)}
        />
        <Refusal text={refusal ?? (critical ? `${CRITICAL_TOOLTIP}.` : busy ? null : limitReached(state))} />
        <div className="flex justify-end gap-2">
          <button type="button" className="button" onClick={() => onClose(false)}>
            Cancel
          </button>
          <button type="submit" className="button-primary" disabled={busy || critical} title={critical ? CRITICAL_TOOLTIP : undefined}>
            {busy ? 'Starting…' : 'Create'}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** Why no session can be made, whatever the fields say. */
function Refusal({ text }: { text: string | null }) {
  if (!text) return null;
  return (
    <p role="alert" className="text-error-text">
      {text}
    </p>
  );
}

/** Checks only what can't be sent; everything else is the server's to judge. */
function readForm({ name, command, cwd }: Values): NewSession | Problem {
  const spec: NewSession = {};
  if (name) spec.name = name;
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
