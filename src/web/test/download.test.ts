import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { fetchOutput } from '../src/net/download';

const PAGE = 4 * 2 ** 20;

/** A server that keeps `kept` bytes of what it was given; `grow` writes more between two requests. */
let output = '';
let oldest = 0;
let grow: () => void = () => {};
const asked: string[] = [];

function answer(path: string): Response {
  asked.push(path);
  const url = new URL(path, 'http://test');
  if (!url.pathname.endsWith('/output')) {
    return Response.json({ session: { outputOffset: output.length, oldestOffset: oldest } });
  }
  grow();
  const offset = Number(url.searchParams.get('offset'));
  if (offset < oldest || offset > output.length) {
    return Response.json({ error: { code: 'OFFSET_OUT_OF_RANGE', message: 'gone', details: { oldestOffset: oldest } } }, { status: 416 });
  }
  const body = output.slice(offset, offset + Number(url.searchParams.get('limit')));
  return new Response(body, { headers: { 'Quarterdeck-Offset': String(offset), 'Quarterdeck-Next-Offset': String(offset + body.length) } });
}

beforeEach(() => {
  asked.length = 0;
  grow = () => {};
  vi.stubGlobal('fetch', async (path: string) => answer(path));
});
afterEach(() => void vi.unstubAllGlobals());

test('all that is kept is fetched, in pages, from its oldest byte', async () => {
  output = 'x'.repeat(100) + 'abcdefgh'.repeat(PAGE / 4);
  oldest = 100;
  const { bytes, lost } = await fetchOutput('a');
  expect(await bytes.text()).toBe(output.slice(100));
  expect(lost).toBe(0);
  expect(asked.filter((path) => path.includes('/output')).length).toBe(2);
});

test('a program that goes on writing is not followed', async () => {
  output = 'start';
  oldest = 0;
  grow = () => void (output += 'x'.repeat(PAGE));
  expect(await (await fetchOutput('a')).bytes.text()).toBe('start');
});

test('what is thrown away meanwhile is counted, and the rest is there', async () => {
  output = 'a'.repeat(PAGE) + 'b'.repeat(PAGE);
  oldest = 0;
  grow = () => void (oldest = asked.length > 2 ? PAGE + 10 : oldest);
  const { bytes, lost } = await fetchOutput('a');
  expect(lost).toBe(10);
  expect(await bytes.text()).toBe('a'.repeat(PAGE) + 'b'.repeat(PAGE - 10));
});

test('when all of it is thrown away nothing is asked for beyond its end', async () => {
  output = 'gone';
  oldest = 0;
  grow = () => {
    output += 'x'.repeat(50);
    oldest = 20;
  };
  const { bytes, lost } = await fetchOutput('a');
  expect([bytes.size, lost]).toEqual([0, 4]);
});

test('no output is an empty file, and a server that is gone is said', async () => {
  output = '';
  oldest = 0;
  expect((await fetchOutput('a')).bytes.size).toBe(0);
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('no')));
  await expect(fetchOutput('a')).rejects.toThrow('The server can not be reached.');
});
