/** Fetches what is kept of a session's output, page by page. */

import { ApiError, getSession, type OutputPage, outputPage } from './api';

const PAGE_BYTES = 4 * 2 ** 20;

export interface Output {
  readonly bytes: Blob;
  /** Bytes that were thrown away by the server before they could be fetched. */
  readonly lost: number;
}

/** Everything up to where the output ends now: a program that writes on would be followed for ever. */
export async function fetchOutput(sessionId: string): Promise<Output> {
  const { outputOffset: end, oldestOffset: oldest } = await getSession(sessionId);
  const parts: Blob[] = [];
  let lost = 0;
  for (let offset = oldest; offset < end; ) {
    const page = await pageFrom(sessionId, offset, end);
    if (!page) {
      lost += end - offset;
      break;
    }
    lost += page.offset - offset;
    parts.push(page.bytes);
    if (page.next <= offset) throw new Error('The server sent no output where there should be some. Try once more.');
    offset = page.next;
  }
  return { bytes: new Blob(parts, { type: 'application/octet-stream' }), lost };
}

/** The page at `offset`, or the oldest one there still is; null when all below `end` is gone. */
async function pageFrom(sessionId: string, offset: number, end: number): Promise<OutputPage | null> {
  for (let from = offset; from < end; ) {
    try {
      return await outputPage(sessionId, from, Math.min(PAGE_BYTES, end - from));
    } catch (error) {
      const oldest = error instanceof ApiError && error.code === 'OFFSET_OUT_OF_RANGE' ? (error.details as { oldestOffset?: unknown } | null)?.oldestOffset : undefined;
      if (typeof oldest !== 'number' || oldest <= from) throw error;
      from = oldest;
    }
  }
  return null;
}

/** Has the browser keep `bytes` as a file. */
export function saveFile(name: string, bytes: Blob): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(bytes);
  link.download = name;
  link.click();
  // The browser reads it after the click; a minute is enough to begin with that.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
