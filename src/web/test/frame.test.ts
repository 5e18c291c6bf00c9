import { expect, test } from 'vitest';
import { decodeFrame, encodeInput, FrameKind, HEADER_BYTES } from '../src/protocol/frame';

const bytes = (...values: number[]) => Uint8Array.from(values);

test('input is laid out as the protocol says, byte for byte', () => {
  const frame = new Uint8Array(encodeInput(0x0201, 0x0807060504, bytes(0x61, 0x62)));
  expect([...frame]).toEqual([2, 0, 0x01, 0x02, 0, 0, 0, 0, 0x04, 0x05, 0x06, 0x07, 0x08, 0, 0, 0, 0x61, 0x62]);
});

test('an output frame is read back, at offsets beyond 32 bits too', () => {
  const data = bytes(1, 0, 0x39, 0x30, 0, 0, 0, 0, 0x78, 0x56, 0x34, 0x12, 0xff, 0, 0, 0, 0x1b, 0x63).buffer;
  const frame = decodeFrame(data);
  expect(frame).toMatchObject({ kind: FrameKind.Output, channel: 12345, offset: 0xff12345678 });
  expect([...frame.payload]).toEqual([0x1b, 0x63]);
});

test('a frame without payload is a frame', () => {
  expect(decodeFrame(encodeInput(1, 1, bytes())).payload.byteLength).toBe(0);
});

test('what is no frame is refused with the reason', () => {
  expect(() => decodeFrame(new ArrayBuffer(HEADER_BYTES - 1))).toThrow(/15 bytes is shorter than its header of 16/);
  const far = new ArrayBuffer(HEADER_BYTES);
  new DataView(far).setBigUint64(8, 2n ** 53n, true);
  expect(() => decodeFrame(far)).toThrow(/9007199254740992 is beyond/);
});
