import { LogOut, Minus, Plus, RotateCcw } from 'lucide-react';
import { type ReactNode, useId, useState } from 'react';
import { useApp } from '../app';
import { useSettings } from '../hooks/useSettings';
import { useWebSocket } from '../hooks/useWebSocket';
import { FONT_SIZE, SCROLLBACK_CHOICES, THEME_CHOICES, type ThemeChoice, withFontStep } from '../state/settings';
import { askForNotices } from '../state/desktopNotices';
import { Dialog } from './Dialog';

const themeNames: Record<ThemeChoice, string> = {
  system: 'As the system',
  'oceanic-calm': 'Oceanic Calm',
  light: 'Light',
  'high-contrast': 'High contrast',
};

/** Every change counts at once, behind the dialog and in later visits. */
export function SettingsDialog({ onClose }: { onClose(): void }) {
  const [settings, change] = useSettings();
  const scrollbackId = useId();
  return (
    <Dialog title="Settings" onClose={onClose}>
      <div className="flex flex-col gap-5">
        <fieldset>
          <legend className="font-medium">Theme</legend>
          <div className="mt-1 grid grid-cols-2 gap-2">
            {THEME_CHOICES.map((theme) => (
              <label key={theme} className="flex items-center gap-2 rounded-md border border-line px-3 py-1.5 has-checked:border-accent has-checked:bg-raised">
                <input type="radio" name="theme" className="accent-accent" checked={settings.theme === theme} onChange={() => change({ theme })} />
                {themeNames[theme]}
              </label>
            ))}
          </div>
        </fieldset>
        <FontSize />
        <div>
          <label htmlFor={scrollbackId} className="font-medium">
            Scrollback
          </label>
          <select
            id={scrollbackId}
            className="field"
            value={settings.scrollback}
            onChange={(event) => change({ scrollback: Number(event.target.value) })}
          >
            {SCROLLBACK_CHOICES.map((lines) => (
              <option key={lines} value={lines}>
                {lines.toLocaleString('en')} lines
              </option>
            ))}
          </select>
          <p className="mt-1 text-xs text-muted">What a terminal keeps above its screen. More of it takes more of this browser's memory.</p>
        </div>
        <Switch
          label="Screen reader mode"
          hint="Terminals write their text where screen readers find it, too. Large output is then shown more slowly."
          checked={settings.screenReader}
          onChange={(screenReader) => change({ screenReader })}
        />
        <NoticesSwitch />
      </div>
      <div className="mt-5 flex justify-end gap-2">
        <LogOutButton />
        <button type="button" className="button-primary" onClick={onClose}>
          Done
        </button>
      </div>
    </Dialog>
  );
}

function LogOutButton() {
  const { actions, gate } = useApp();
  const { login } = useWebSocket();
  if (!login.canLeave) return null;
  return (
    <button type="button" className="button mr-auto" onClick={() => gate.logOut().catch((error: unknown) => actions.report(error))}>
      <LogOut aria-hidden className="size-4" /> Log out
    </button>
  );
}

function FontSize() {
  const [settings, change] = useSettings();
  const { fontSize } = settings;
  const step = (by: number) => change(withFontStep(settings, by));
  return (
    <div role="group" aria-label="Font size of the terminals">
      <p className="font-medium" aria-hidden>
        Font size of the terminals
      </p>
      <div className="mt-1 flex items-center gap-2">
        <button type="button" className="button px-2" aria-label="Smaller" title="Smaller (Ctrl+-)" disabled={fontSize <= FONT_SIZE.smallest} onClick={() => step(-1)}>
          <Minus aria-hidden className="size-4" />
        </button>
        <span role="status" className="w-14 text-center tabular-nums">
          {fontSize} px
        </span>
        <button type="button" className="button px-2" aria-label="Larger" title="Larger (Ctrl++)" disabled={fontSize >= FONT_SIZE.largest} onClick={() => step(1)}>
          <Plus aria-hidden className="size-4" />
        </button>
        <button type="button" className="button px-2" aria-label="As at first" title="As at first (Ctrl+0)" disabled={fontSize === FONT_SIZE.normal} onClick={() => step(0)}>
          <RotateCcw aria-hidden className="size-4" />
        </button>
      </div>
    </div>
  );
}

function NoticesSwitch() {
  const [settings, change] = useSettings();
  const [refusal, setRefusal] = useState('');
  const toggle = async (notify: boolean) => {
    const refused = notify ? await askForNotices() : null;
    setRefusal(refused ?? '');
    change({ notify: notify && refused === null });
  };
  return (
    <div>
      <Switch
        label="Notifications"
        hint="When you look elsewhere: a silent notification of the browser, and a count in the title, of sessions that ended or need you."
        checked={settings.notify}
        onChange={(notify) => void toggle(notify)}
      />
      <p role="alert" className="text-error-text">
        {refusal}
      </p>
    </div>
  );
}

interface SwitchProps {
  label: string;
  hint: ReactNode;
  checked: boolean;
  onChange(checked: boolean): void;
}

function Switch({ label, hint, checked, onChange }: SwitchProps) {
  const id = useId();
  return (
    <div>
      <label className="flex items-center gap-2 font-medium">
        <input
          type="checkbox"
          role="switch"
          className="size-4 accent-accent"
          aria-describedby={id}
          checked={checked}
          onChange={(event) => onChange(event.target.checked)}
        />
        {label}
      </label>
      <p id={id} className="mt-1 text-xs text-muted">
        {hint}
      </p>
    </div>
  );
}
