// What goes out to one socket, gathered while a chunk is processed and written at once: runs of untouched bytes stay views of
// the chunk they came in, and neighbouring runs become one.
import type { Duplex } from 'node:stream';

/** Below this many bytes copying pieces together is cheaper than handing several to the kernel. */
const copyBelow = 8192;

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

  /** Sends `bytes[start, end)` as it stands. The bytes must stay untouched until they are written (see `settled`). */
  forward(bytes: Buffer, start: number, end: number): void {
    if (this.run === bytes && this.runEnd === start) {
      this.runEnd = end;
      return;
    }
    this.closeRun();
    this.run = bytes;
    this.runStart = start;
    this.runEnd = end;
  }

  /** Sends a message of our own. */
  push(bytes: Buffer): void {
    this.closeRun();
    this.pieces.push(bytes);
    this.size += bytes.length;
  }

  get empty(): boolean {
    return this.run === undefined && this.pieces.length === 0;
  }

  /** Writes what has been gathered. False when the socket wants no more until it drains. */
  flush(): boolean {
    this.closeRun();
    const { socket, pieces } = this;
    if (pieces.length > 0 && socket.writable) {
      const [only] = pieces;
      if (pieces.length === 1 && only !== undefined) socket.write(only);
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

  /** True when the kernel has taken everything sent so far: buffers that were forwarded may be used again. */
  get settled(): boolean {
    return this.empty && this.socket.writableLength === 0;
  }

  private closeRun(): void {
    if (this.run === undefined) return;
    const whole = this.runStart === 0 && this.runEnd === this.run.length;
    this.pieces.push(whole ? this.run : this.run.subarray(this.runStart, this.runEnd));
    this.size += this.runEnd - this.runStart;
    this.run = undefined;
  }
}
