/** The browser's part of the turns: its clock, its queues, and the signs of its user. */

import { Turns } from './turns';

/** Hidden pages draw no frames. */
const FRAME_PATIENCE_MS = 100;

interface Scheduling {
  isInputPending?(): boolean;
}

interface Scheduler {
  postTask(run: () => void, options: { priority: 'background' }): Promise<void>;
}

export function browserTurns(): Turns {
  const { scheduling } = navigator as { scheduling?: Scheduling };
  const turns = new Turns({
    now: () => performance.now(),
    soon: behindFrames(),
    after: (delayMs, run) => void setTimeout(run, delayMs),
    afterFrame,
    inputPending: () => scheduling?.isInputPending?.() ?? false,
  });
  for (const type of ['pointerdown', 'keydown', 'wheel']) {
    window.addEventListener(type, () => turns.userIsActive(), { capture: true, passive: true });
  }
  return turns;
}

/** Timers would do, but hidden pages run them once a second, and the programs would be slowed to that. */
function behindFrames(): (run: () => void) => void {
  const { scheduler } = window as { scheduler?: Scheduler };
  if (scheduler) return (run) => void scheduler.postTask(run, { priority: 'background' });
  const { port1, port2 } = new MessageChannel();
  const runs: (() => void)[] = [];
  port1.onmessage = () => runs.shift()?.();
  return (run) => {
    runs.push(run);
    port2.postMessage(null);
  };
}

function afterFrame(run: () => void): void {
  const timer = setTimeout(() => {
    cancelAnimationFrame(frame);
    run();
  }, FRAME_PATIENCE_MS);
  const frame = requestAnimationFrame(() => {
    clearTimeout(timer);
    // A frame's callbacks come before its layout and paint.
    setTimeout(run);
  });
}
