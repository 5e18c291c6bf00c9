/**
 * Binary frames of the subprotocol `quarterdeck.v1`, little endian:
 *
 *   kind u8 | reserved u8 | channel u16 | reserved u32 | offset u64 | payload
 */

export const HEADER_BYTES = 16;

export const FrameKind = { Output: 1, Input: 2 } as const;

export interface Frame {
  readonly kind: number;
  /** The number `session.attached` gave to the session on this connection. */
  readonly channel: number;
  /** Output: offset of the first payload byte in the session's stream. Input: sequence number. */
  readonly offset: number;
  readonly payload: Uint8Array<ArrayBuffer>;
}

/** Reads one frame; the payload is a view into `data`, not a copy. */
export function decodeFrame(data: ArrayBuffer): Frame {
  if (data.byteLength < HEADER_BYTES) {
    throw new RangeError(`a frame of ${data.byteLength} bytes is shorter than its header of ${HEADER_BYTES}`);
  }
  const view = new DataView(data);
  const offset = view.getBigUint64(8, true);
  // Offsets are counted in doubles everywhere else; 2^53 bytes is 9 PB.
  if (offset > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new RangeError(`the frame offset ${offset} is beyond what this page can count`);
  }
  return {
    kind: view.getUint8(0),
    channel: view.getUint16(2, true),
    offset: Number(offset),
    payload: new Uint8Array(data, HEADER_BYTES),
  };
}

/** Makes the frame that carries typed bytes to a session. */
export function encodeInput(channel: number, sequence: number, payload: Uint8Array): ArrayBuffer {
  const data = new ArrayBuffer(HEADER_BYTES + payload.byteLength);
  const view = new DataView(data);
  view.setUint8(0, FrameKind.Input);
  view.setUint16(2, channel, true);
  view.setBigUint64(8, BigInt(sequence), true);
  new Uint8Array(data, HEADER_BYTES).set(payload);
  return data;
}
