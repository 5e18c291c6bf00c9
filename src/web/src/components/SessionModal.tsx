import { type FormEvent, useEffect, useRef, useState } from 'react';
import { useApp } from '../app';
import { useWebSocket } from '../hooks/useWebSocket';
import { CRITICAL_TOOLTIP, isMemoryCritical, limitReached } from '../state/admission';
import { type Field, problemOf, type Problem, readForm, type Values } from '../state/newSession';
import { nameProblem, suggestedName } from '../state/sessionName';
import { Dialog } from './Dialog';
import { TextField } from './TextField';

interface Props {
  /** `done`: a session was created and the user goes on in its terminal. */
  onClose(done: boolean): void;
}

export function SessionModal({ onClose }: Props) {
  const { actions, screens, store } = useApp();
  const state = useWebSocket();
  const [suggestion] = useState(() => suggestedName(state.sessions.map(({ name }) => name)));
  const [values, setValues] = useState<Values>({ name: suggestion, command: '', cwd: '', branch: '', existing: false });
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const critical = isMemoryCritical(state);

  // The suggestion itself is not sent: if somebody takes it first, the server takes the next.
  const typedName = values.name === suggestion ? '' : values.name;
  // While the answer is on its way, the session may be in the list already.
  const badName = busy ? null : nameProblem(typedName, state.sessions.map(({ name }) => name));

  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    if (problem?.field) form.current?.querySelector<HTMLElement>('[aria-invalid=true]')?.focus();
  }, [problem]);

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
      setProblem(problemOf(error));
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
  const hasBranch = values.branch.trim() !== '';
  const refusal = problem && problem.field === null ? problem.text : null;
  return (
    <Dialog title="New session" onClose={() => onClose(false)}>
      <form ref={form} onSubmit={(event) => void submit(event)} noValidate className="flex flex-col gap-4">
        <TextField label="Name" first hint="Letters, digits and dashes. Left empty, the lowest free number is taken." {...field('name', badName)} />
        <TextField
          label="Command"
          placeholder="the default of this container"
          hint="A program and its arguments. Quotes work as in a shell; for pipes and variables use sh -c."
          {...field('command', null)}
        />
        <TextField
          label="Directory"
          placeholder={hasBranch ? 'the top of the worktree' : 'the workspace'}
          hint={hasBranch ? 'A path in the worktree, from its top.' : 'A path in the container; a relative one starts in the workspace.'}
          {...field('cwd', null)}
        />
        <BranchField
          {...field('branch', null)}
          existing={values.existing}
          onExisting={(existing) => {
            setValues({ ...values, existing });
            if (problem?.field === 'branch') setProblem(null);
          }}
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

interface BranchProps {
  value: string;
  error: string;
  existing: boolean;
  onChange(value: string): void;
  onExisting(existing: boolean): void;
}

function BranchField({ existing, onExisting, ...field }: BranchProps) {
  return (
    <div className="flex flex-col gap-2">
      <TextField
        label="Branch"
        placeholder="none: the workspace itself"
        hint="With a branch the session works in a git worktree of its own, in .worktrees of the workspace."
        {...field}
      />
      {field.value.trim() !== '' && (
        <label className="flex items-center gap-2">
          <input type="checkbox" className="size-4 accent-accent" checked={existing} onChange={(event) => onExisting(event.target.checked)} />
          The branch exists already
        </label>
      )}
    </div>
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
