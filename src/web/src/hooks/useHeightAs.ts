import { type RefObject, useLayoutEffect, useRef } from 'react';

/** How many elements tell their height in a property just now. */
const telling = new Map<string, number>();

/**
 * Keeps the height of an element in a custom property of the page, while `on`, for what has to keep clear of it.
 *
 * A change of it has the browser look at the style of the whole page. So it is not taken away and set again when one
 * element follows another, nor is the element measured before the browser has laid it out by itself.
 */
export function useHeightAs(property: `--${string}`, on: boolean): RefObject<HTMLDivElement | null> {
  const element = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const measured = element.current;
    if (!on || !measured) return;
    const root = document.documentElement.style;
    const watch = new ResizeObserver(() => {
      const height = `${measured.offsetHeight}px`;
      if (root.getPropertyValue(property) !== height) root.setProperty(property, height);
    });
    watch.observe(measured);
    telling.set(property, (telling.get(property) ?? 0) + 1);
    return () => {
      watch.disconnect();
      telling.set(property, (telling.get(property) ?? 0) - 1);
      queueMicrotask(() => {
        if (telling.get(property) === 0) root.removeProperty(property);
      });
    };
  }, [property, on]);
  return element;
}
