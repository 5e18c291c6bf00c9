import { type ReactNode, useLayoutEffect, useRef } from 'react';

interface Props {
  title: string;
  /** For what is read more than filled in: it has more room, and the focus starts at its title. */
  reading?: boolean;
  onClose(): void;
  children: ReactNode;
}

/** A modal on the browser's own dialog: it keeps the focus inside, closes on Escape and gives the focus back. */
export function Dialog({ title, reading, onClose, children }: Props) {
  const element = useRef<HTMLDialogElement>(null);
  // A layout effect is undone while the element is still in the page; only
  // then does closing it give the focus back.
  useLayoutEffect(() => {
    const dialog = element.current;
    dialog?.showModal();
    if (reading) dialog?.querySelector('h2')?.focus();
    return () => dialog?.close();
  }, [reading]);
  return (
    <dialog
      ref={element}
      aria-label={title}
      className={reading ? 'dialog dialog-wide' : 'dialog'}
      onCancel={(event) => {
        // React takes it away; the browser must not close it a second time.
        event.preventDefault();
        onClose();
      }}
    >
      <h2 tabIndex={reading ? -1 : undefined} className="mb-4 text-lg font-semibold text-bright outline-none">{title}</h2>
      {children}
    </dialog>
  );
}
