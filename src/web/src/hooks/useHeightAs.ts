import { type RefObject, useLayoutEffect, useRef } from 'react';

/** Keeps the height of an element in a custom property of the page, while `on`, for what has to keep clear of it. */
export function useHeightAs(property: `--${string}`, on: boolean): RefObject<HTMLDivElement | null> {
  const element = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const measured = element.current;
    if (!on || !measured) return;
    const root = document.documentElement.style;
    const tell = () => root.setProperty(property, `${measured.offsetHeight}px`);
    tell();
    const watch = new ResizeObserver(tell);
    watch.observe(measured);
    return () => {
      watch.disconnect();
      root.removeProperty(property);
    };
  }, [property, on]);
  return element;
}
