/**
 * What xterm does not offer in its interface and a fast page needs. It reaches
 * into the pinned version; where a part is not found, xterm does the same in
 * its own way.
 */

import type { Terminal } from '@xterm/xterm';
import type { DrawRate } from './drawRate';

export interface RenderService {
  _isPaused: boolean;
  readonly _renderer: { readonly value?: { renderRows(start: number, end: number): void } };
  readonly _renderDebouncer: { refresh(start: number, end: number, rows: number): void; _innerRefresh(): void };
  _handleIntersectionChange(entry: { isIntersecting: boolean; intersectionRatio: number }): void;
  refreshRows(start: number, end: number): void;
  handleBlur(): void;
}

interface SelectionService {
  readonly hasSelection: boolean;
  refresh(byMouse?: boolean): void;
}

interface Core {
  readonly _writeBuffer?: { handleUserInput?(): void };
  /** Once the terminal is open. */
  readonly _renderService?: RenderService;
  readonly _selectionService?: SelectionService;
}

function coreOf(terminal: Terminal): Core {
  return (terminal as { _core?: Core })._core ?? {};
}

/**
 * Makes xterm parse the next write within the call, as it does after user
 * input. Otherwise it parses in timers of up to 12 ms, which nobody can put
 * behind input, and which hidden pages run once a second.
 */
export function parseAtOnce(terminal: Terminal): void {
  coreOf(terminal)._writeBuffer?.handleUserInput?.();
}

/**
 * Draws a terminal that comes on show now. xterm hears of it from an
 * IntersectionObserver, that is after a frame with what it showed long ago.
 */
export function drawNow(terminal: Terminal): void {
  const service = coreOf(terminal)._renderService;
  service?._handleIntersectionChange({ isIntersecting: true, intersectionRatio: 1 });
  service?._renderDebouncer._innerRefresh();
}

/** Stops drawing a terminal that goes off show, not only when the observer tells of it. */
export function stopDrawing(terminal: Terminal): void {
  coreOf(terminal)._renderService?._handleIntersectionChange({ isIntersecting: false, intersectionRatio: 0 });
}

/** Leaves out drawing that nobody sees; call it once the terminal is open. */
export function spareDrawing(terminal: Terminal, rate: DrawRate): void {
  const { _renderService, _selectionService } = coreOf(terminal);
  if (_selectionService) skipEmptySelections(_selectionService);
  if (!_renderService) return;
  skipHiddenBlur(_renderService, () => terminal.rows);
  rate.limit(_renderService);
}

/**
 * With every line that scrolls xterm draws the selection anew, and with it all
 * rows, in hidden terminals too; also where nothing is selected.
 */
export function skipEmptySelections(service: SelectionService): void {
  const refresh = service.refresh.bind(service);
  let drawn = false;
  service.refresh = (byMouse) => {
    if (!service.hasSelection && !drawn) return;
    drawn = service.hasSelection;
    refresh(byMouse);
  };
}

/** A terminal that loses the focus because another one comes on show draws all rows for its cursor. */
export function skipHiddenBlur(service: RenderService, rows: () => number): void {
  const blur = service.handleBlur.bind(service);
  service.handleBlur = () => {
    const renderer = service._renderer.value;
    if (!service._isPaused || !renderer) return blur();
    renderer.renderRows = () => {};
    try {
      blur();
    } finally {
      // Its own property hides the one of its class.
      Reflect.deleteProperty(renderer, 'renderRows');
    }
    // Noted for when it comes on show.
    service.refreshRows(0, rows() - 1);
  };
}
