// Length-encoded integers where they stand, without a reader.
import { MalformedPacket, Reader } from './bytes.ts';

/** Bytes a length-encoded integer takes. */
export function lenencSize(value: number): number {
  return value < 0xfb ? 1 : value <= 0xffff ? 3 : value <= 0xff_ff_ff ? 4 : 9;
}

export function writeLenenc(bytes: Buffer, at: number, value: number): void {
  if (value < 0xfb) bytes[at] = value;
  else if (value <= 0xffff) {
    bytes[at] = 0xfc;
    bytes.writeUInt16LE(value, at + 1);
  } else if (value <= 0xff_ff_ff) {
    bytes[at] = 0xfd;
    bytes.writeUIntLE(value, at + 1, 3);
  } else {
    bytes[at] = 0xfe;
    bytes.writeUInt32LE(value % 0x1_0000_0000, at + 1);
    bytes.writeUInt32LE(Math.floor(value / 0x1_0000_0000), at + 5);
  }
}

/** A 64-bit number as it stands, in decimal digits. */
export function lenencText(encoded: Buffer): string {
  return encoded[0] === 0xfe ? String(encoded.readBigUInt64LE(1)) : String(new Reader(encoded).lenenc());
}

/** The first packet of a result: how many columns it has, and nothing else. */
export function columnCount(bytes: Buffer, start: number, end: number): number {
  const reader = new Reader(bytes, start, end);
  const count = reader.lenenc();
  if (count === 0 || count > 0xffff || reader.left > 0) throw new MalformedPacket('no number of columns');
  return count;
}
