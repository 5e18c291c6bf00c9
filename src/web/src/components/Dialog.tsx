import { type ReactNode, useLayoutEffect, useRef } from 'react';

interface Props {
  title: string;
  /** For what needs more room than questions do. */
  wide?: boolean;
  onClose(): void;
  children: ReactNode;
}

/** A modal on the browser's own dialog: it keeps the focus inside, closes on Escape and gives the focus back. */
export function Dialog({ title, wide, onClose, children }: Props) {
  const element = useRef<HTMLDialogElement>(null);
  // A layout effect is undone while the element is still in the page; only
  // then does closing it give the focus back.
  useLayoutEffect(() => {
    const dialog = element.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={element}
      aria-label={title}
      className={wide ? 'dialog dialog-wide' : 'dialog'}
      onCancel={(event) => {
        // React takes it away; the browser must not close it a second time.
        event.preventDefault();
        onClose();
      }}
    >
      <h2 className="mb-4 text-lg font-semibold text-bright">{title}</h2>
      {children}
    </dialog>
  );
}
