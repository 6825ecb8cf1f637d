// The compressed protocol (zlib) between a client and the gateway: a stream around the client's own that packs what goes out and unpacks
// what comes in. It begins after the login's OK. Towards servers nothing is compressed: they are near.
import { Duplex } from 'node:stream';
import { deflateSync, inflateSync } from 'node:zlib';
import { maxPayload } from './constants.ts';

/** Length, number, and length before compression (0: it is not compressed). */
const headerLength = 7;
/** MIN_COMPRESS_LENGTH of servers and clients: less is not worth it. */
const leastCompressed = 50;
/** Fast rather than small: most clients compress for lines between sites. */
const level = 2;

export class CompressedStream extends Duplex {
  private readonly inner: Duplex;
  private pending: Buffer = Buffer.alloc(0);
  /** Number of the last packet that came, and of the next that goes. */
  private received = 0;
  private next = 0;

  constructor(inner: Duplex) {
    super({ allowHalfOpen: false, emitClose: true });
    this.inner = inner;
    // What can be written, and when, is the inner stream's to say.
    Object.defineProperties(this, {
      writable: { get: () => inner.writable },
      writableNeedDrain: { get: () => inner.writableNeedDrain },
    });
    inner.on('data', (chunk: Buffer) => this.unpack(chunk));
    inner.on('end', () => this.push(null));
    inner.on('drain', () => this.emit('drain'));
    inner.on('close', () => this.destroy());
    inner.on('error', () => this.destroy());
  }

  /** An answer begins: it is numbered from the command on that came last. */
  begin(): void {
    this.next = (this.received + 1) & 0xff;
  }

  /** Everything is packed, and so copied, at once: nothing waits here but in the inner stream. */
  override write(bytes: Buffer): boolean {
    if (!this.inner.writable) return true;
    for (let start = 0; start < bytes.length; start += maxPayload) {
      this.pack(bytes.subarray(start, Math.min(bytes.length, start + maxPayload)));
    }
    return !this.inner.writableNeedDrain;
  }

  override end(bytes?: unknown): this {
    if (Buffer.isBuffer(bytes)) this.write(bytes);
    this.inner.end();
    return this;
  }

  override cork(): void {
    this.inner.cork();
  }

  override uncork(): void {
    this.inner.uncork();
  }

  override _read(): void {
    this.inner.resume();
  }

  override _destroy(_cause: Error | null, done: (cause?: Error | null) => void): void {
    this.inner.destroy();
    done();
  }

  private pack(bytes: Buffer): void {
    const packed = bytes.length < leastCompressed ? bytes : deflateSync(bytes, { level });
    const worth = packed.length < bytes.length;
    const header = Buffer.alloc(headerLength);
    header.writeUIntLE(worth ? packed.length : bytes.length, 0, 3);
    header[3] = this.next;
    header.writeUIntLE(worth ? bytes.length : 0, 4, 3);
    this.next = (this.next + 1) & 0xff;
    this.inner.write(Buffer.concat([header, worth ? packed : bytes]));
  }

  private unpack(chunk: Buffer): void {
    this.pending = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk]);
    while (this.pending.length >= headerLength) {
      const length = this.pending.readUIntLE(0, 3);
      const end = headerLength + length;
      if (this.pending.length < end) return;
      this.received = this.pending[3] as number;
      const before = this.pending.readUIntLE(4, 3);
      const body = this.pending.subarray(headerLength, end);
      this.pending = this.pending.subarray(end);
      let bytes = body;
      if (before !== 0) {
        try {
          // Never more than the 16 MB that three bytes can announce.
          bytes = inflateSync(body, { maxOutputLength: before });
        } catch {
          bytes = Buffer.alloc(0);
        }
        if (bytes.length !== before) {
          this.destroy();
          return;
        }
      }
      if (!this.push(bytes)) this.inner.pause();
    }
  }
}
