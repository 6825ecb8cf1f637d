// Masks in rows against a plain rewriting of each row: every length, every place, text and binary, chunks and packets of any size.
import type { Duplex } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FieldMask } from '../../../protocols/gate.ts';
import { Writer } from '../../../protocols/mysql/bytes.ts';
import { frame } from '../../../protocols/mysql/packets.ts';
import { MalformedRow, RowMasker } from '../../../protocols/mysql/rows.ts';
import { Output } from '../../../protocols/shared/output.ts';
import { RowRoom } from '../../../protocols/shared/row-room.ts';
import { nothing, stars, word } from './support.ts';

const string = 0xfd;
const long = 3;

interface Column {
  readonly type: number;
  readonly mask: FieldMask | undefined;
  /** What the mask makes of a value. */
  readonly masked: (value: Buffer) => Buffer | null;
}

const same = (value: Buffer) => value;
const starred = (value: Buffer) => Buffer.alloc(value.length, 0x2a);

/** Sometimes in place, sometimes longer: what masks of real types do. */
const fickle: FieldMask = {
  inPlace(bytes, start, end) {
    if ((end - start) % 2 === 1) return false;
    return stars.inPlace(bytes, start, end);
  },
  bound: (length) => length + 300,
  write(_from, start, end, to, at) {
    const length = (end - start) % 2 === 1 ? end - start + 200 : end - start;
    to.fill(0x2a, at, at + length);
    return at + length;
  },
};

const column: fc.Arbitrary<Column> = fc.constantFrom(
  { type: string, mask: undefined, masked: same },
  { type: string, mask: stars, masked: starred },
  { type: string, mask: word('hidden'), masked: () => Buffer.from('hidden') },
  { type: string, mask: word('w'.repeat(400)), masked: () => Buffer.from('w'.repeat(400)) },
  { type: string, mask: nothing, masked: () => null },
  {
    type: string,
    mask: fickle,
    masked: (value: Buffer) => Buffer.alloc(value.length + (value.length % 2 === 1 ? 200 : 0), 0x2a),
  },
  { type: long, mask: undefined, masked: same },
  { type: long, mask: stars, masked: starred },
  { type: long, mask: nothing, masked: () => null },
);

const length = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 20 }) },
  { weight: 1, arbitrary: fc.constantFrom(249, 250, 251, 252, 500, 65_535, 65_536, 70_000) },
);

/** The payload of a row; a fixed value is its text cut or filled to size in binary. */
function rowOf(values: readonly (Buffer | null)[], columns: readonly Column[], binary: boolean): Buffer {
  const writer = new Writer();
  if (!binary) {
    for (const value of values) {
      if (value === null) writer.int1(0xfb);
      else writer.lenencBytes(value);
    }
    return writer.done();
  }
  const nulls = Buffer.alloc((values.length + 9) >> 3);
  for (const [index, value] of values.entries()) {
    const bit = index + 2;
    if (value === null) nulls[bit >> 3] = (nulls[bit >> 3] as number) | (1 << (bit & 7));
  }
  writer.int1(0).raw(nulls);
  for (const [index, value] of values.entries()) {
    if (value === null) continue;
    if (columns[index]?.type === long) writer.raw(value);
    else writer.lenencBytes(value);
  }
  return writer.done();
}

function collected(): { output: Output; room: RowRoom; taken: () => Buffer } {
  const written: Buffer[] = [];
  const stream = {
    writable: true,
    writableNeedDrain: false,
    writableLength: 1,
    cork() {},
    uncork() {},
    write: (bytes: Buffer) => written.push(bytes) > 0,
  } as unknown as Duplex;
  const output = new Output(stream);
  const taken = () => {
    output.flush();
    return Buffer.concat(written);
  };
  return { output, room: new RowRoom(output), taken };
}

describe.each([
  ['text', false],
  ['binary', true],
])('rows in %s', (_name, binary) => {
  test('come out as if each value had been replaced', () => {
    fc.assert(
      fc.property(
        fc.array(column, { minLength: 1, maxLength: 12 }),
        fc.array(fc.array(fc.option(length, { freq: 4 }), { minLength: 12, maxLength: 12 }), {
          minLength: 1,
          maxLength: 6,
        }),
        (columns, lengths) => {
          const { output, room, taken } = collected();
          const masker = new RowMasker(
            columns.map(({ mask }) => mask),
            columns,
            binary,
            room,
          );
          const expected: Buffer[] = [];
          for (const [number, row] of lengths.entries()) {
            const values = columns.map(({ type }, index) => {
              const size = row[index] ?? null;
              if (size === null) return null;
              return Buffer.alloc(binary && type === long ? 4 : size, 0x61 + index);
            });
            const packet = frame(rowOf(values, columns, binary), number + 7);
            const masked = values.map((value, index) =>
              value === null ? null : (columns[index] as Column).masked(value),
            );
            expected.push(frame(rowOf(masked, columns, binary), number + 1));
            // A row stands somewhere in a chunk, with others around it.
            const chunk = Buffer.concat([Buffer.alloc(13, 0xee), packet, Buffer.alloc(5, 0xdd)]);
            const sent = masker.row(chunk, 13, 13 + packet.length, number + 1, output);
            expect(sent).toBe(expected.at(-1)?.length);
          }
          masker.flush();
          expect(taken().equals(Buffer.concat(expected))).toBe(true);
        },
      ),
      { numRuns: 400 },
    );
  });

  test('that are cut short or lie about their lengths send nothing', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 255 }), (cut, lie) => {
        const columns = [string, long, string].map((type) => ({ type, mask: stars, masked: starred }));
        const { output, room, taken } = collected();
        const masker = new RowMasker(
          columns.map(({ mask }) => mask),
          columns,
          binary,
          room,
        );
        const values = [Buffer.from('first'), Buffer.from('1234'), Buffer.from('secret')];
        const packet = frame(rowOf(values, columns, binary), 0);
        const end = Math.max(5, packet.length - cut);
        packet[Math.min(packet.length - 1, 4 + (lie % 12))] = lie;
        try {
          masker.row(packet, 0, end, 1, output);
          expect(taken().length).toBeGreaterThan(0);
        } catch (cause) {
          expect(cause).toBeInstanceOf(MalformedRow);
          expect(taken()).toHaveLength(0);
        }
      }),
      { numRuns: 500 },
    );
  });
});
