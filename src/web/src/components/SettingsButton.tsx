import { Settings } from 'lucide-react';
import { useState } from 'react';
import { SettingsDialog } from './SettingsDialog';

export function SettingsButton() {
  const [open, setOpen] = useState(false);
  return (
    <>
      <button type="button" className="icon-button -mr-1.5 shrink-0" aria-label="Settings" aria-haspopup="dialog" title="Settings" onClick={() => setOpen(true)}>
        <Settings aria-hidden className="size-4" />
      </button>
      {open && <SettingsDialog onClose={() => setOpen(false)} />}
    </>
  );
}
