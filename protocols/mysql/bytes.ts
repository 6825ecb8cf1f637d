// Integers and strings of the protocol: a reader that never looks past the end of its packet, and a writer that grows.

/** A packet that ends too early or says something impossible. */
export class MalformedPacket extends Error {
  constructor(what: string) {
    super(`malformed packet: ${what}`);
    this.name = 'MalformedPacket';
  }
}

/** Reads one payload from its start to its end. */
export class Reader {
  readonly bytes: Buffer;
  readonly end: number;
  at: number;

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  get left(): number {
    return this.end - this.at;
  }

  /** Moves on by `length` bytes and says where they begin. */
  skip(length: number): number {
    const start = this.at;
    if (length < 0 || length > this.end - start) throw new MalformedPacket('it ends too early');
    this.at = start + length;
    return start;
  }

  int1(): number {
    return this.bytes[this.skip(1)] as number;
  }

  int2(): number {
    return this.bytes.readUInt16LE(this.skip(2));
  }

  int3(): number {
    return this.bytes.readUIntLE(this.skip(3), 3);
  }

  int4(): number {
    return this.bytes.readUInt32LE(this.skip(4));
  }

  /** A length-encoded integer. Values above 2^53 lose their last digits. */
  lenenc(): number {
    const first = this.int1();
    if (first < 0xfb) return first;
    if (first === 0xfc) return this.int2();
    if (first === 0xfd) return this.int3();
    if (first === 0xfe) {
      const low = this.int4();
      return this.int4() * 0x1_0000_0000 + low;
    }
    throw new MalformedPacket('no length');
  }

  /** A view of the next `length` bytes. */
  view(length: number): Buffer {
    const start = this.skip(length);
    return this.bytes.subarray(start, this.at);
  }

  lenencView(): Buffer {
    return this.view(this.lenenc());
  }

  lenencText(): string {
    return this.lenencView().toString('utf8');
  }

  /** Up to a NUL, which must be there. */
  nulView(): Buffer {
    const nul = this.bytes.indexOf(0, this.at);
    if (nul === -1 || nul >= this.end) throw new MalformedPacket('a string without an end');
    const view = this.bytes.subarray(this.at, nul);
    this.at = nul + 1;
    return view;
  }

  nulText(): string {
    return this.nulView().toString('utf8');
  }

  rest(): Buffer {
    return this.view(this.left);
  }
}

/** Writes one payload. */
export class Writer {
  private bytes: Buffer;
  private at = 0;

  constructor(capacity = 256) {
    this.bytes = Buffer.allocUnsafe(capacity);
  }

  private room(length: number): number {
    const start = this.at;
    const needed = start + length;
    if (needed > this.bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, this.bytes.length * 2));
      this.bytes.copy(larger, 0, 0, start);
      this.bytes = larger;
    }
    this.at = needed;
    return start;
  }

  int1(value: number): this {
    const at = this.room(1);
    this.bytes[at] = value;
    return this;
  }

  int2(value: number): this {
    const at = this.room(2);
    this.bytes.writeUInt16LE(value & 0xffff, at);
    return this;
  }

  int3(value: number): this {
    const at = this.room(3);
    this.bytes.writeUIntLE(value, at, 3);
    return this;
  }

  int4(value: number): this {
    const at = this.room(4);
    this.bytes.writeUInt32LE(value >>> 0, at);
    return this;
  }

  lenenc(value: number): this {
    if (value < 0xfb) return this.int1(value);
    if (value <= 0xffff) return this.int1(0xfc).int2(value);
    if (value <= 0xff_ff_ff) return this.int1(0xfd).int3(value);
    return this.int1(0xfe)
      .int4(value % 0x1_0000_0000)
      .int4(Math.floor(value / 0x1_0000_0000));
  }

  raw(bytes: Uint8Array): this {
    const at = this.room(bytes.length);
    this.bytes.set(bytes, at);
    return this;
  }

  text(text: string): this {
    return this.raw(Buffer.from(text));
  }

  /** A NUL inside a text would end it early. */
  nulText(text: string): this {
    return this.text(text.replaceAll('\0', '')).int1(0);
  }

  lenencBytes(bytes: Uint8Array): this {
    return this.lenenc(bytes.length).raw(bytes);
  }

  lenencText(text: string): this {
    return this.lenencBytes(Buffer.from(text));
  }

  zeros(count: number): this {
    const at = this.room(count);
    this.bytes.fill(0, at, at + count);
    return this;
  }

  done(): Buffer {
    return this.bytes.subarray(0, this.at);
  }
}
