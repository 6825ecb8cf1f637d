// DataRows through the masker, against the same rows masked value by value.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { FieldMask } from '../../../protocols/gate.ts';
import { decodeRowDescription, UpstreamProtocolError } from '../../../protocols/postgres/backend.ts';
import { MalformedRow, RowMasker } from '../../../protocols/postgres/rows.ts';
import type { Output } from '../../../protocols/shared/output.ts';
import { RowRoom } from '../../../protocols/shared/row-room.ts';
import { type MaskSpec, maskKey, planMask } from '../../../src/masking/index.ts';

import { message } from './support.ts';

const runs = { numRuns: 300, seed: Number(process.env.SEED ?? Date.now() % 2 ** 31) };
const key = maskKey('a secret of the tests', 'shop');

const specs: readonly (MaskSpec | undefined)[] = [
  undefined,
  { kind: 'redact' },
  { kind: 'null' },
  { kind: 'keep-last', count: 4 },
  { kind: 'email' },
  { kind: 'hash' },
];

function textMask(spec: MaskSpec | undefined): FieldMask | undefined {
  const field = {
    dialect: 'postgres',
    name: 'c',
    tableOid: 0,
    attnum: 0,
    typeOid: 25,
    typmod: -1,
    binary: false,
  } as const;
  return spec === undefined ? undefined : planMask(spec, field, { typeInfo: () => undefined }, key);
}

function dataRow(values: readonly (Buffer | null)[]): Buffer {
  const size = values.reduce((sum, value) => sum + 4 + (value?.length ?? 0), 7);
  const row = Buffer.alloc(size);
  row.write('D');
  row.writeInt32BE(size - 1, 1);
  row.writeInt16BE(values.length, 5);
  let at = 7;
  for (const value of values) {
    at = row.writeInt32BE(value?.length ?? -1, at);
    at += value?.copy(row, at) ?? 0;
  }
  return row;
}

function masked(mask: FieldMask | undefined, value: Buffer | null): Buffer | null {
  if (mask === undefined || value === null) return value;
  const to = Buffer.alloc(mask.bound(value.length));
  const end = mask.write(value, 0, value.length, to, 0);
  return end < 0 ? null : to.subarray(0, end);
}

/** What was forwarded, as copied when it was flushed. */
function collector(): { readonly output: Output; taken(): Buffer } {
  const pieces: { bytes: Buffer; start: number; end: number }[] = [];
  const output = {
    settled: true,
    forward: (bytes: Buffer, start: number, end: number) => void pieces.push({ bytes, start, end }),
  };
  return {
    output: output as unknown as Output,
    taken: () => Buffer.concat(pieces.splice(0).map(({ bytes, start, end }) => bytes.subarray(start, end))),
  };
}

const value = fc.option(
  fc.oneof(
    fc.string({ unit: 'grapheme' }).map((text) => Buffer.from(text)),
    fc.constantFrom('a.person@example.com', '123-45-6789', '[redacted]').map((text) => Buffer.from(text)),
    fc.integer({ min: 0, max: 3000 }).map((length) => Buffer.alloc(length, 'x')),
  ),
);

test('rows leave as if every value had been masked for itself', () => {
  fc.assert(
    fc.property(
      fc
        .integer({ min: 1, max: 6 })
        .chain((columns) =>
          fc.tuple(
            fc.array(fc.constantFrom(...specs), { minLength: columns, maxLength: columns }),
            fc.array(fc.array(value, { minLength: columns, maxLength: columns }), { maxLength: 12 }),
          ),
        ),
      ([columns, rows]) => {
        const masks = columns.map(textMask);
        const { output, taken } = collector();
        const masker = new RowMasker(masks, new RowRoom(output));
        const frames = rows.map(dataRow);
        const chunk = Buffer.concat([...frames, Buffer.from('more')]);
        const expected = Buffer.concat(
          rows.map((row) => dataRow(row.map((each, index) => masked(masks[index], each)))),
        );
        let at = 0;
        let bytes = 0;
        for (const { length } of frames) {
          bytes += masker.row(chunk, at, at + length, output);
          at += length;
        }
        masker.flush();
        expect(taken()).toEqual(expected);
        expect(bytes).toBe(expected.length);
      },
    ),
    runs,
  );
});

test('a row of many megabytes is masked in a buffer of its own', () => {
  const masks = [textMask({ kind: 'hash' }), textMask({ kind: 'keep-last', count: 2 }), undefined];
  const { output, taken } = collector();
  const masker = new RowMasker(masks, new RowRoom(output));
  const row = [Buffer.from('a'), Buffer.from('é'.repeat(1 << 20)), Buffer.alloc(1 << 20, 'z')];
  const frame = dataRow(row);
  masker.row(frame, 0, frame.length, output);
  masker.flush();
  expect(taken().equals(dataRow(row.map((each, index) => masked(masks[index], each))))).toBe(true);
});

test('a row cut short anywhere before its last masked value is refused, and the rows before it stand', () => {
  const masks = [textMask({ kind: 'hash' }), textMask({ kind: 'redact' })];
  const good = dataRow([Buffer.from('first'), Buffer.from('second')]);
  for (let length = 5; length < good.length; length++) {
    const { output, taken } = collector();
    const masker = new RowMasker(masks, new RowRoom(output));
    const chunk = Buffer.concat([good, good.subarray(0, length)]);
    masker.row(chunk, 0, good.length, output);
    expect(() => masker.row(chunk, good.length, chunk.length, output)).toThrow(MalformedRow);
    expect(taken()).toEqual(dataRow([masked(masks[0], Buffer.from('first')), masked(masks[1], Buffer.from('second'))]));
  }
});

test('a RowDescription that does not hold what it counts is no description', () => {
  const field = Buffer.concat([Buffer.from('ssn\0'), Buffer.alloc(18)]);
  const described = (count: number, ...parts: Buffer[]) => {
    const body = Buffer.concat([Buffer.from([(count >> 8) & 255, count & 255]), ...parts]);
    const frame = message('T', body);
    return decodeRowDescription(frame, 0, frame.length);
  };
  expect(described(1, field).map(({ name }) => name)).toEqual(['ssn']);
  for (const count of [0, 2, -1, 0x8001])
    expect(() => described(count, field), String(count)).toThrow(UpstreamProtocolError);
  expect(() => described(1, field, field)).toThrow(UpstreamProtocolError);
});

test('a row with a length below NULL, or with bytes behind its last value, goes no further', () => {
  const { output } = collector();
  const masker = new RowMasker([undefined, textMask({ kind: 'redact' })], new RowRoom(output));
  const row = (...bytes: number[]) => message('D', Buffer.from([0, 2, ...bytes]));
  for (const bad of [row(0, 0, 0, 1, 65, 255, 255, 0, 1, 65), row(0, 0, 0, 1, 65, 0, 0, 0, 1, 66, 67)])
    expect(() => masker.row(bad, 0, bad.length, output)).toThrow(MalformedRow);
});
