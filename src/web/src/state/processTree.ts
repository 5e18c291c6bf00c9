/** A session's processes as rows of a tree, and what its keys do. */

import type { SessionProcess } from '../protocol/messages';

export interface ProcessRow {
  readonly process: SessionProcess;
  /** 1 for those without a parent in the session. */
  readonly level: number;
  /** Its place among its siblings, from 1, and how many they are. */
  readonly place: number;
  readonly siblings: number;
  /** Whether its children are on show; undefined without any. */
  readonly open: boolean | undefined;
}

/** The rows on show: everybody but the descendants of those in `folded`. The list has each behind its parent. */
export function rowsOf(processes: readonly SessionProcess[], folded: ReadonlySet<number>): ProcessRow[] {
  const known = new Set(processes.map(({ pid }) => pid));
  // What no known process is the parent of stands side by side, whoever adopted it.
  const parentOf = ({ parentPid }: SessionProcess) => (known.has(parentPid) ? parentPid : 0);
  const family = new Map<number, number>();
  const places = processes.map((process) => {
    const place = (family.get(parentOf(process)) ?? 0) + 1;
    family.set(parentOf(process), place);
    return place;
  });
  const levels = new Map<number, number>([[0, 0]]);
  const hidden = new Set<number>();
  return processes.flatMap((process, index) => {
    const parent = parentOf(process);
    const level = (levels.get(parent) ?? 0) + 1;
    levels.set(process.pid, level);
    if (hidden.has(parent) || folded.has(parent)) {
      hidden.add(process.pid);
      return [];
    }
    const open = family.has(process.pid) ? !folded.has(process.pid) : undefined;
    return [{ process, level, place: places[index] ?? 1, siblings: family.get(parent) ?? 1, open }];
  });
}

export type TreeStep = { readonly go: number } | { readonly fold: number } | { readonly unfold: number };

/** What a key means at the row of `pid`, as the WAI-ARIA practices have it for trees; null when nothing. */
export function stepFor(key: string, rows: readonly ProcessRow[], pid: number): TreeStep | null {
  const index = rows.findIndex((row) => row.process.pid === pid);
  const row = rows[index];
  if (!row) return null;
  const to = (target: ProcessRow | undefined) => (target && target !== row ? { go: target.process.pid } : null);
  switch (key) {
    case 'ArrowDown':
      return to(rows[index + 1]);
    case 'ArrowUp':
      return to(rows[index - 1]);
    case 'Home':
      return to(rows[0]);
    case 'End':
      return to(rows.at(-1));
    case 'ArrowRight':
      return row.open === false ? { unfold: pid } : row.open ? to(rows[index + 1]) : null;
    case 'ArrowLeft':
      return row.open ? { fold: pid } : to(rows.find((other) => other.process.pid === row.process.parentPid));
    default:
      return null;
  }
}
