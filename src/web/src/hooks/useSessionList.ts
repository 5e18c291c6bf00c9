import { useState } from 'react';
import { remember, remembered } from '../state/storage';

const KEY = 'sessionList';

/** Whether the list beside the terminal is open; kept for later visits. */
export function useSessionList(): [boolean, () => void] {
  const [open, setOpen] = useState(() => remembered(KEY) !== false);
  const toggle = () => {
    remember(KEY, !open);
    setOpen(!open);
  };
  return [open, toggle];
}
