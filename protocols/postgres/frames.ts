// Frames cut from a client's byte stream. Each frame is judged once by its header: handed over whole, passed on in the pieces it
// arrives in, or skipped. Nothing is copied but frames that must be whole and cross the border of a chunk.

/** What to do with a frame, decided from its letter and its length (as claimed, the four bytes of the length included). */
export type Treatment = 'whole' | 'pass' | 'skip';

export interface FrameHandler {
  /** Called once a frame, at its header. May throw to end the connection. */
  treat(type: number, length: number): Treatment;
  /** A whole frame: `bytes[start, end)`, letter and length included. */
  frame(type: number, bytes: Buffer, start: number, end: number): void;
  /** The next bytes of a frame that passes. */
  piece(bytes: Buffer, start: number, end: number): void;
  /** True when no further frame may be handed over now; `run` then returns and is called again later. */
  readonly stopped: boolean;
}

const headerLength = 5;

/** A signed 32-bit big-endian integer at `at`; the caller has checked the bounds. */
export function int32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  );
}

export function int16(bytes: Uint8Array, at: number): number {
  return ((((bytes[at] as number) << 8) | (bytes[at + 1] as number)) << 16) >> 16;
}

/** Cuts a stream into frames. `push` what arrives, then `run` hands frames over until it lacks bytes or is stopped. */
export class FrameCutter {
  private readonly handler: FrameHandler;
  private chunks: Buffer[] = [];
  private chunk: Buffer = Buffer.alloc(0);
  private at = 0;
  /** Bytes still to come of a frame that passes or is skipped. */
  private remaining = 0;
  private skipping = false;
  /** The start of a whole frame (or of a header) that crosses chunks. */
  private carry: Buffer = Buffer.alloc(0);
  private carried = 0;
  /** Length of the carried frame, 0 while its header is not complete. */
  private need = 0;

  constructor(handler: FrameHandler) {
    this.handler = handler;
  }

  push(chunk: Buffer): void {
    if (chunk.length > 0) this.chunks.push(chunk);
  }

  /** Bytes that no frame has been cut from yet. */
  get backlog(): number {
    return this.chunks.reduce((sum, chunk) => sum + chunk.length, this.chunk.length - this.at);
  }

  run(): void {
    while (!this.handler.stopped) {
      if (this.at >= this.chunk.length) {
        const next = this.chunks.shift();
        if (next === undefined) return;
        this.chunk = next;
        this.at = 0;
      }
      this.step();
    }
  }

  private step(): void {
    const { chunk, at } = this;
    const available = chunk.length - at;
    if (this.remaining > 0) {
      const taken = Math.min(this.remaining, available);
      this.at += taken;
      this.remaining -= taken;
      if (!this.skipping) this.handler.piece(chunk, at, at + taken);
      return;
    }
    if (this.carried > 0) {
      this.fill(chunk, at, available);
      return;
    }
    if (available < headerLength) {
      this.keep(chunk, at, available, headerLength);
      return;
    }
    const type = chunk[at] as number;
    const length = int32(chunk, at + 1);
    const total = length + 1;
    switch (this.handler.treat(type, length)) {
      case 'whole':
        if (total <= available) {
          this.at += total;
          this.handler.frame(type, chunk, at, at + total);
        } else {
          this.keep(chunk, at, available, Math.min(total, available * 2));
          this.need = total;
        }
        return;
      case 'pass':
        this.begin(total, false);
        return;
      case 'skip':
        this.begin(total, true);
        return;
    }
  }

  private begin(total: number, skipping: boolean): void {
    this.remaining = total;
    this.skipping = skipping;
  }

  private keep(chunk: Buffer, at: number, available: number, room: number): void {
    this.carry = Buffer.allocUnsafe(room);
    chunk.copy(this.carry, 0, at, at + available);
    this.carried = available;
    this.need = 0;
    this.at += available;
  }

  private fill(chunk: Buffer, at: number, available: number): void {
    const target = this.need === 0 ? headerLength : this.need;
    const taken = Math.min(target - this.carried, available);
    // Room grows with what has arrived, not with what a header claims.
    if (this.carried + taken > this.carry.length) {
      const grown = Buffer.allocUnsafe(Math.min(target, (this.carried + taken) * 2));
      this.carry.copy(grown, 0, 0, this.carried);
      this.carry = grown;
    }
    chunk.copy(this.carry, this.carried, at, at + taken);
    this.carried += taken;
    this.at += taken;
    if (this.carried < target) return;
    const { carry } = this;
    const type = carry[0] as number;
    if (this.need > 0) {
      this.carried = 0;
      this.need = 0;
      this.handler.frame(type, carry, 0, target);
      return;
    }
    const length = int32(carry, 1);
    const treatment = this.handler.treat(type, length);
    if (treatment === 'whole') {
      if (length + 1 > headerLength) {
        this.need = length + 1;
      } else {
        this.carried = 0;
        this.handler.frame(type, carry, 0, headerLength);
      }
      return;
    }
    this.carried = 0;
    this.begin(length + 1 - headerLength, treatment === 'skip');
    if (treatment === 'pass') this.handler.piece(carry, 0, headerLength);
  }
}
