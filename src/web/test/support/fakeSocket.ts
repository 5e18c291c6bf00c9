import type { Socket } from '../../src/net/connection';
import { decodeFrame, type Frame } from '../../src/protocol/frame';

/** A WebSocket whose other end is the test. */
export class FakeSocket implements Socket {
  binaryType = '';
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  readonly sent: (string | ArrayBuffer)[] = [];
  closed = false;

  send(data: string | ArrayBuffer): void {
    this.sent.push(data);
  }

  close(): void {
    this.closed = true;
  }

  open(): void {
    this.onopen?.();
  }

  drop(code = 1006, reason = ''): void {
    this.onclose?.({ code, reason });
  }

  message(data: string | ArrayBuffer): void {
    this.onmessage?.({ data });
  }

  control(message: object): void {
    this.message(JSON.stringify(message));
  }

  /** One output frame, as the server makes it. */
  output(channel: number, offset: number, text: string): void {
    const payload = new TextEncoder().encode(text);
    const data = new ArrayBuffer(16 + payload.byteLength);
    const view = new DataView(data);
    view.setUint8(0, 1);
    view.setUint16(2, channel, true);
    view.setBigUint64(8, BigInt(offset), true);
    new Uint8Array(data, 16).set(payload);
    this.message(data);
  }

  controls(type?: string): Record<string, unknown>[] {
    const all = this.sent.filter((data) => typeof data === 'string').map((data) => JSON.parse(data) as Record<string, unknown>);
    return type === undefined ? all : all.filter((message) => message['type'] === type);
  }

  inputs(): Frame[] {
    return this.sent.filter((data) => data instanceof ArrayBuffer).map(decodeFrame);
  }
}
