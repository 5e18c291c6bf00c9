/**
 * What xterm does not offer in its interface and a fast page needs. It reaches
 * into the pinned version; where a part is not found, xterm does the same a
 * little later by itself.
 */

import type { Terminal } from '@xterm/xterm';

interface RenderService {
  _handleIntersectionChange?(entry: { isIntersecting: boolean; intersectionRatio: number }): void;
  readonly _renderDebouncer?: { _innerRefresh?(): void };
}

interface SelectionService {
  readonly hasSelection: boolean;
  refresh(byMouse?: boolean): void;
}

interface Internals {
  readonly _core?: {
    readonly _writeBuffer?: { handleUserInput?(): void };
    readonly _renderService?: RenderService;
    readonly _selectionService?: SelectionService;
  };
}

/**
 * Makes xterm parse the next write within the call, as it does after user
 * input. Otherwise it parses in timers of up to 12 ms, which nobody can put
 * behind input, and which hidden pages run once a second.
 */
export function parseAtOnce(terminal: Terminal): void {
  (terminal as Internals)._core?._writeBuffer?.handleUserInput?.();
}

/**
 * Draws a terminal that comes on show now. xterm hears of it from an
 * IntersectionObserver, that is after a frame with what it showed long ago.
 */
export function drawNow(terminal: Terminal): void {
  const service = (terminal as Internals)._core?._renderService;
  service?._handleIntersectionChange?.({ isIntersecting: true, intersectionRatio: 1 });
  service?._renderDebouncer?._innerRefresh?.();
}

/** Stops drawing a terminal that goes off show, not only when the observer tells of it. */
export function stopDrawing(terminal: Terminal): void {
  (terminal as Internals)._core?._renderService?._handleIntersectionChange?.({ isIntersecting: false, intersectionRatio: 0 });
}

/**
 * With every line that scrolls xterm draws the selection anew, and with it all
 * rows, in hidden terminals too; also where nothing is selected. Call it once
 * the terminal is open.
 */
export function skipEmptySelections(terminal: Terminal): void {
  const service = (terminal as Internals)._core?._selectionService;
  if (!service) return;
  const refresh = service.refresh.bind(service);
  let drawn = false;
  service.refresh = (byMouse) => {
    if (!service.hasSelection && !drawn) return;
    drawn = service.hasSelection;
    refresh(byMouse);
  };
}
