import { act, type ReactNode } from 'react';
import { createRoot, type Root } from 'react-dom/client';
import { type App, AppContext } from '../../src/app';
import { openSettings } from '../../src/state/settings';
import { watchLook } from '../../src/terminal/look';
import { Screens } from '../../src/terminal/screens';
import { Gate } from '../../src/net/gate';
import { openPage } from './page';

Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });

const roots: Root[] = [];

/** A part of the page in a document, on a page state whose server is the test. */
export function render(part: ReactNode) {
  const page = openPage();
  const settings = openSettings();
  const look = watchLook(settings);
  const gate = new Gate({ changed: (login) => page.store.update((state) => ({ ...state, login })), opened: () => {}, closed: () => {}, misplaced: () => {} });
  const app: App = { store: page.store, actions: page.actions, gate, screens: new Screens(look), settings, look };
  const root = createRoot(document.body.appendChild(document.createElement('div')));
  roots.push(root);
  act(() => root.render(<AppContext value={app}>{part}</AppContext>));
  return {
    ...page,
    settings,
    /** A message of the server, with all that the page makes of it. */
    receive: (message: object) => act(() => page.socket().control(message)),
    list: (...sessions: object[]) => act(() => page.connect(...sessions)),
  };
}

/** Takes everything rendered out of the document. */
export function cleanUp(): void {
  act(() => {
    for (const root of roots.splice(0)) root.unmount();
  });
  document.body.replaceChildren();
  localStorage.clear();
}

export function find(selector: string): HTMLElement {
  const element = document.querySelector<HTMLElement>(selector);
  if (!element) throw new Error(`nothing is ${selector} in ${document.body.innerHTML}`);
  return element;
}

export const textOf = (selector: string): string => find(selector).textContent ?? '';

export function click(selector: string): void {
  act(() => find(selector).click());
}

/** Types into a field as a user does: React listens to the native setter's event. */
export function type(field: HTMLInputElement, value: string): void {
  act(() => {
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value')?.set?.call(field, value);
    field.dispatchEvent(new Event('input', { bubbles: true }));
  });
}
