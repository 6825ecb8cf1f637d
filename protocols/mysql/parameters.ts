// Parameters of COM_STMT_EXECUTE and COM_STMT_BULK_EXECUTE, and query attributes, where they stand in the packet.
import type { BoundParameters } from '../gate.ts';
import { MalformedPacket, Reader, Writer } from './bytes.ts';
import { fieldType } from './constants.ts';
import { fixedSize } from './rows.ts';

/** Where the values of one packet begin and end; -1 for NULL. */
export class Parameters implements BoundParameters {
  readonly count: number;
  private readonly bytes: Buffer;
  private readonly types: Buffer;
  private readonly places: Int32Array;

  constructor(bytes: Buffer, types: Buffer, places: Int32Array) {
    this.bytes = bytes;
    this.types = types;
    this.places = places;
    this.count = places.length / 2;
  }

  type(index: number): number {
    // A batch has its types once for all its rows.
    return this.types.length === 0 ? 0 : (this.types[(index * 2) % this.types.length] ?? 0);
  }

  binary(): boolean {
    return true;
  }

  value(index: number): Buffer | undefined {
    const start = this.places[index * 2] ?? -1;
    return start === -1 ? undefined : this.bytes.subarray(start, this.places[index * 2 + 1]);
  }
}

export const noParameters = new Parameters(Buffer.alloc(0), Buffer.alloc(0), new Int32Array(0));

/** Reads past one binary value and notes where it stands. */
function place(reader: Reader, type: number, places: Int32Array, index: number): void {
  const size = fixedSize(type) ?? reader.lenenc();
  places[index * 2] = reader.skip(size);
  places[index * 2 + 1] = reader.at;
}

/** The head of COM_STMT_EXECUTE. */
export interface Execute {
  readonly statement: number;
  readonly flags: number;
  /** Without query attributes, in the form that a server without them takes. */
  readonly payload: Buffer;
  /** Types in force: of this packet, or of one before. */
  readonly types: Buffer | undefined;
  readonly parameters: Parameters;
}

export const executeFlag = { CURSOR: 0x07, PARAMETER_COUNT_AVAILABLE: 0x08 } as const;

/** What must be known of the statement to read its parameters. */
export interface Known {
  readonly parameters: number;
  readonly types: Buffer | undefined;
  readonly long: ReadonlySet<number>;
}

/**
 * Reads COM_STMT_EXECUTE. `attributes`: the client has query attributes, which come as named parameters behind the statement's own;
 * they are left out of `payload` unless `keep`.
 */
export function decodeExecute(payload: Buffer, known: Known, attributes: boolean, keep: boolean): Execute {
  const reader = new Reader(payload, 1);
  const statement = reader.int4();
  const flags = reader.int1();
  reader.skip(4);
  const named = attributes && (flags & executeFlag.PARAMETER_COUNT_AVAILABLE) !== 0;
  const own = known.parameters;
  const count = attributes && (own > 0 || named) ? (named ? reader.lenenc() : own) : own;
  if (count < own) throw new MalformedPacket('fewer parameters than the statement has');
  if (count === 0) return { statement, flags, payload, types: known.types, parameters: noParameters };
  const bitmap = reader.view((count + 7) >> 3);
  const bound = reader.int1() === 1;
  let { types } = known;
  let all: Buffer | undefined = types;
  if (bound) {
    all = Buffer.allocUnsafe(count * 2);
    for (let index = 0; index < count; index++) {
      reader.view(2).copy(all, index * 2);
      if (attributes) reader.lenencView();
    }
    types = all.subarray(0, own * 2);
  }
  if (own > 0 && (all === undefined || all.length < own * 2)) throw new MalformedPacket('parameters without types');
  const values = reader.at;
  const places = new Int32Array(own * 2).fill(-1);
  for (let index = 0; index < own; index++) {
    if (isNull(bitmap, index)) continue;
    if (known.long.has(index)) {
      // Its value has gone ahead (COM_STMT_SEND_LONG_DATA): not NULL, and not here.
      places[index * 2] = values;
      places[index * 2 + 1] = values;
    } else place(reader, (all as Buffer)[index * 2] as number, places, index);
  }
  const parameters = new Parameters(payload, types ?? Buffer.alloc(0), places);
  if (!attributes || keep) return { statement, flags, payload, types, parameters };
  const plain = new Writer(payload.length).int1(payload[0] as number).int4(statement);
  plain.int1(flags & ~executeFlag.PARAMETER_COUNT_AVAILABLE).int4(1);
  if (own > 0) {
    const nulls = Buffer.from(bitmap.subarray(0, (own + 7) >> 3));
    plain.raw(nulls).int1(bound ? 1 : 0);
    if (bound && types !== undefined) plain.raw(types);
    plain.raw(payload.subarray(values, reader.at));
  }
  return { statement, flags, payload: plain.done(), types, parameters };
}

function isNull(bitmap: Buffer, index: number): boolean {
  return (((bitmap[index >> 3] as number) >> (index & 7)) & 1) === 1;
}

/** COM_STMT_BULK_EXECUTE: flags say whether types follow and whether generated keys are asked for. */
const bulkTypes = 128;
/** Most values of one batch whose places are kept. */
const maxValues = 4_000_000;

export interface BulkExecute {
  readonly statement: number;
  readonly types: Buffer | undefined;
  readonly parameters: Parameters;
}

/** Reads COM_STMT_BULK_EXECUTE: rows of values, each with an indicator of its own. The parameters of all rows stand in a row. */
export function decodeBulk(payload: Buffer, known: Known): BulkExecute {
  const reader = new Reader(payload, 1);
  const statement = reader.int4();
  const flags = reader.int2();
  const own = known.parameters;
  const types = (flags & bulkTypes) !== 0 ? Buffer.from(reader.view(own * 2)) : known.types;
  if (own === 0 || types === undefined) throw new MalformedPacket('a batch without parameters');
  const places: number[] = [];
  while (reader.left > 0) {
    for (let column = 0; column < own; column++) {
      const indicator = reader.int1();
      if (indicator > 3) throw new MalformedPacket('an unknown indicator');
      if (indicator !== 0) {
        places.push(-1, -1);
        continue;
      }
      const size = fixedSize(types[column * 2] as number) ?? reader.lenenc();
      places.push(reader.skip(size), reader.at);
    }
    if (places.length > maxValues * 2) throw new MalformedPacket('a batch of too many values');
  }
  return { statement, types, parameters: new Parameters(payload, types, Int32Array.from(places)) };
}

/** COM_QUERY of a client with query attributes: where its text begins. */
export function queryTextStart(payload: Buffer): number {
  const reader = new Reader(payload, 1);
  const count = reader.lenenc();
  const sets = reader.lenenc();
  if (sets !== 1) throw new MalformedPacket('more than one set of query attributes');
  if (count === 0) return reader.at;
  const bitmap = reader.view((count + 7) >> 3);
  if (reader.int1() !== 1) throw new MalformedPacket('query attributes without types');
  const types: number[] = [];
  for (let index = 0; index < count; index++) {
    types.push(reader.int2() & 0xff);
    reader.lenencView();
  }
  for (const [index, type] of types.entries()) {
    if (!isNull(bitmap, index) && type !== fieldType.NULL) reader.skip(fixedSize(type) ?? reader.lenenc());
  }
  return reader.at;
}
