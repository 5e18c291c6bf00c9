// Measures within the page: from an input event to the frame that shows what came of it.
//
// The clock starts at the event's own time, which the browser's process stamps before the page's process hears of it, so
// time in queues counts. The browser itself says when it painted and when the frame was handed to the screen (Element
// Timing): a mark goes into the page in the same frame as what is waited for.
//
//   painted  the page is done with the frame: scripts, style, layout, paint
//   worked   the same without the wait from the change of the page to the display's next tick, when the frame begins
//   shown    the frame was rastered and handed to the screen

/** Runs in the page before its own scripts. */
export function installProbe() {
  const waiting = new Map();
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      waiting.get(entry.identifier)?.(entry);
      waiting.delete(entry.identifier);
    }
  }).observe({ type: 'element' });

  let marks = 0;
  /** Has the browser tell when the page as it is now was painted. */
  const paint = () => {
    const identifier = `mark-${++marks}`;
    const mark = document.createElement('i');
    mark.setAttribute('elementtiming', identifier);
    mark.textContent = '.';
    Object.assign(mark.style, { position: 'fixed', right: '0', bottom: '0' });
    document.body.append(mark);
    return new Promise((resolve) => waiting.set(identifier, resolve)).finally(() => mark.remove());
  };

  const rowsOf = (panel) => panel.querySelector('.xterm-rows');
  const criteria = {
    /** The terminal of this session is on show and most of its rows were drawn anew. */
    switched: (sessionId) => {
      const redrawn = new Set();
      return (records) => {
        const panel = document.getElementById(`panel-${sessionId}`);
        const rows = rowsOf(panel);
        for (const { target } of records) if (target.parentNode === rows) redrawn.add(target);
        return !panel.hidden && redrawn.size > rows.childElementCount / 2;
      };
    },
    /** The last line in the terminal on show is this. */
    echoed: (line) => () => {
      const rows = rowsOf(document.querySelector('[role=tabpanel]:not([hidden])'));
      const texts = Array.from(rows.children, (row) => row.textContent.trimEnd());
      return texts.findLast((text) => text !== '') === line;
    },
  };

  let measured;
  /** Waits for the next event of this type, then for the paint that fulfils the criterion; milliseconds from the event are the result. */
  const arm = (type, [criterion, parameter]) => {
    const isThere = criteria[criterion](parameter);
    measured = new Promise((resolve) => {
      let began;
      let observer;
      const observe = async (records) => {
        if (!isThere(records)) return;
        observer.disconnect();
        const changed = performance.now();
        let frame = Infinity;
        requestAnimationFrame(() => (frame = performance.now()));
        const { paintTime, presentationTime } = await paint();
        // What changed within a frame was painted before the next one.
        const wait = frame < paintTime ? frame - changed : 0;
        resolve({ painted: paintTime - began, worked: paintTime - began - wait, shown: presentationTime - began });
      };
      const begin = ({ key, timeStamp }) => {
        began = timeStamp;
        // The page may act on the event before it gets here: then the observer was set when Control went down.
        if (!observer) {
          observer = new MutationObserver(observe);
          observer.observe(document.querySelector('main'), { childList: true, characterData: true, subtree: true });
        }
        if (key !== 'Control') window.removeEventListener(type, begin, { capture: true });
      };
      window.addEventListener(type, begin, { capture: true });
    });
  };

  window.__probe = { arm, result: () => measured };
}
