// What goes out to one socket: slices of the buffers that came in, joined where they follow each other, and messages of our own.
import type { Duplex } from 'node:stream';

/** Many small pieces are copied together: one write costs more than a few kilobytes moved. */
const copyBelow = 16 * 1024;

export class Output {
  private readonly socket: Duplex;
  private pieces: Buffer[] = [];
  private size = 0;
  private run: Buffer | undefined;
  private runStart = 0;
  private runEnd = 0;

  constructor(socket: Duplex) {
    this.socket = socket;
  }

  /** Passes on `bytes[start, end)` without a copy: the bytes must stay as they are until they are written. */
  forward(bytes: Buffer, start: number, end: number): void {
    if (this.run === bytes && this.runEnd === start) {
      this.runEnd = end;
      return;
    }
    this.close();
    this.run = bytes;
    this.runStart = start;
    this.runEnd = end;
  }

  push(bytes: Buffer): void {
    this.forward(bytes, 0, bytes.length);
  }

  get empty(): boolean {
    return this.run === undefined && this.pieces.length === 0;
  }

  /** Writes what has been gathered. False when the socket wants no more until it drains. */
  flush(): boolean {
    this.close();
    const { socket, pieces } = this;
    if (pieces.length > 0 && socket.writable) {
      const [first] = pieces;
      if (pieces.length === 1 && first !== undefined) socket.write(first);
      else if (this.size < copyBelow) socket.write(Buffer.concat(pieces, this.size));
      else {
        socket.cork();
        for (const piece of pieces) socket.write(piece);
        socket.uncork();
      }
    }
    if (pieces.length > 0) this.pieces = [];
    this.size = 0;
    return !socket.writableNeedDrain;
  }

  /** True when everything written so far has left our buffers. */
  get settled(): boolean {
    return this.empty && this.socket.writableLength === 0;
  }

  private close(): void {
    const { run } = this;
    if (run === undefined) return;
    const whole = this.runStart === 0 && this.runEnd === run.length;
    this.pieces.push(whole ? run : run.subarray(this.runStart, this.runEnd));
    this.size += this.runEnd - this.runStart;
    this.run = undefined;
  }
}
