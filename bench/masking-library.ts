// Masking as a library call: rows of 8 columns in memory through the planned masks, without sockets, so that what is measured is the
// masks alone. `npm run bench masking-library`.
import { pathToFileURL } from 'node:url';
import type { FieldMask, PostgresField, RowMasks } from '../protocols/gate.ts';
import { type MaskSpec, maskKey, planMask } from '../src/masking/index.ts';

const CHUNK_ROWS = 400;
const CHUNKS = 32;
const SECONDS = 1;

interface Column {
  readonly oid: number;
  readonly value: (row: number) => string;
}

const towns = ['Berlin', 'Köln', 'Zürich', 'Lyon', 'Porto', 'Oslo'];

/** A table of customers, as in the demo's shop. */
const columns: readonly Column[] = [
  { oid: 23, value: (row) => String(row) },
  { oid: 25, value: (row) => `Customer ${row} of ${towns[row % 6]}` },
  { oid: 25, value: (row) => `customer.${row}@example${row % 90}.com` },
  { oid: 25, value: (row) => `${100 + (row % 900)}-${10 + (row % 90)}-${1000 + (row % 9000)}` },
  { oid: 1184, value: (row) => `20${10 + (row % 15)}-0${1 + (row % 9)}-1${row % 10} 12:34:56.78+00` },
  { oid: 1700, value: (row) => `${row % 100000}.${10 + (row % 90)}` },
  { oid: 25, value: (row) => towns[row % 6] ?? '' },
  { oid: 3802, value: (row) => `{"contact": {"ssn": "123-45-${1000 + (row % 9000)}", "city": "Oslo"}, "n": ${row}}` },
];

const lookup = { typeInfo: () => undefined };

function field(oid: number): PostgresField {
  return { dialect: 'postgres', name: 'c', tableOid: 0, attnum: 0, typeOid: oid, typmod: -1, binary: false };
}

/** DataRow messages, back to back: 'D', length, count of columns, then length and bytes of each. */
function chunk(first: number): Buffer {
  const parts: Buffer[] = [];
  for (let row = first; row < first + CHUNK_ROWS; row++) {
    const values = columns.map((column) => Buffer.from(column.value(row)));
    const message = Buffer.alloc(7 + values.reduce((sum, value) => sum + 4 + value.length, 0));
    message[0] = 0x44;
    message.writeInt32BE(message.length - 1, 1);
    message.writeInt16BE(values.length, 5);
    let at = 7;
    for (const value of values) {
      at = message.writeInt32BE(value.length, at);
      at += value.copy(message, at);
    }
    parts.push(message);
  }
  return Buffer.concat(parts);
}

/** A buffer and a view of it: words at a time are the fastest way to copy runs too short for a native call. */
interface Memory {
  readonly bytes: Buffer;
  readonly view: DataView;
}

function memory(bytes: Buffer): Memory {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length) };
}

function copy(from: Memory, start: number, end: number, to: Memory, at: number): number {
  if (end - start > 320) {
    from.bytes.copy(to.bytes, at, start, end);
    return at + end - start;
  }
  let out = at;
  let index = start;
  for (; index + 16 <= end; index += 16, out += 16) {
    to.view.setInt32(out, from.view.getInt32(index));
    to.view.setInt32(out + 4, from.view.getInt32(index + 4));
    to.view.setInt32(out + 8, from.view.getInt32(index + 8));
    to.view.setInt32(out + 12, from.view.getInt32(index + 12));
  }
  for (; index + 4 <= end; index += 4, out += 4) to.view.setInt32(out, from.view.getInt32(index));
  for (; index < end; index++) to.bytes[out++] = from.bytes[index] as number;
  return out;
}

/** Rewrites the rows of a chunk into `to`; answers how many bytes. Values of unchanged length are rewritten where they stand. */
function rewrite(source: Memory, masks: readonly (FieldMask | undefined)[], target: Memory): number {
  const from = source.bytes;
  const to = target.bytes;
  const last = masks.length;
  let out = 0;
  let run = 0;
  let row = 0;
  while (row < from.length) {
    const rowEnd = row + 1 + source.view.getInt32(row + 1);
    let at = row + 7;
    let header = -1;
    let grown = 0;
    for (let column = 0; column < last; column++) {
      const length = source.view.getInt32(at);
      const start = at + 4;
      const mask = masks[column];
      at = length < 0 ? start : start + length;
      if (mask === undefined || length < 0 || mask.inPlace(from, start, at)) continue;
      if (header < 0) header = out + row - run;
      out = copy(source, run, start, target, out);
      const after = mask.write(from, start, at, to, out);
      const masked = after < 0 ? -1 : after - out;
      target.view.setInt32(out - 4, masked);
      out = after < 0 ? out : after;
      grown += Math.max(masked, 0) - length;
      run = at;
    }
    // The message's length stands in front of what was copied already, or in what is still to be copied.
    if (header >= 0 && grown !== 0) target.view.setInt32(header + 1, rowEnd - row - 1 + grown);
    row = rowEnd;
  }
  return copy(source, run, from.length, target, out);
}

interface Case {
  readonly name: string;
  readonly masks: Readonly<Record<number, MaskSpec>>;
}

const ssn: MaskSpec = { kind: 'keep-last', count: 4 };
const cases: readonly Case[] = [
  { name: 'none', masks: {} },
  { name: '3 of 8: redact, keep-last, email', masks: { 1: { kind: 'redact' }, 2: { kind: 'email' }, 3: ssn } },
  { name: '1 of 8: keep-last', masks: { 3: ssn } },
  { name: '1 of 8: redact', masks: { 1: { kind: 'redact' } } },
  { name: '1 of 8: email', masks: { 2: { kind: 'email' } } },
  { name: '3 of 8: hash', masks: { 1: { kind: 'hash' }, 2: { kind: 'hash' }, 3: { kind: 'hash' } } },
  { name: '1 of 8: jsonb path', masks: { 7: { kind: 'paths', paths: ['$.contact.ssn'], inner: ssn } } },
  {
    name: '8 of 8: redact',
    masks: Object.fromEntries(columns.map((_column, index) => [index, { kind: 'redact' }])),
  },
  {
    name: '8 of 8: mixed',
    masks: {
      0: { kind: 'hash' },
      1: { kind: 'fake', of: 'name' },
      2: { kind: 'email' },
      3: ssn,
      4: { kind: 'year' },
      5: { kind: 'round', to: 100 },
      6: { kind: 'redact' },
      7: { kind: 'paths', paths: ['$.contact.ssn'], inner: ssn },
    },
  },
];

/** Rows a second of processor time. The chunks are fresh copies each round, since masks rewrite them; copying is not counted. */
function measure(masks: RowMasks): { rowsPerSecond: number; secondsPerMillion: number } {
  const planned = masks ?? [];
  const sources = Array.from({ length: CHUNKS }, (_value, index) => chunk(1000 + index * CHUNK_ROWS));
  const work = sources.map((source) => memory(Buffer.from(source)));
  const to = memory(Buffer.alloc(Math.max(...sources.map((source) => source.length)) * 4));
  let spent = 0;
  let rows = 0;
  for (let round = 0; spent < SECONDS * 1e6; round++) {
    work.forEach(({ bytes }, index) => {
      sources[index]?.copy(bytes);
    });
    const before = process.cpuUsage();
    for (const source of work) rewrite(source, planned, to);
    const used = process.cpuUsage(before);
    // The first rounds are the compiler's.
    if (round < 10) continue;
    spent += used.user + used.system;
    rows += CHUNKS * CHUNK_ROWS;
  }
  return { rowsPerSecond: (rows / spent) * 1e6, secondsPerMillion: spent / rows };
}

/** Runs the benchmark; with `json`, each figure is a JSON object on a line of its own. */
export async function run(json: boolean): Promise<void> {
  const key = maskKey('a secret of the benchmark', 'shop');
  for (const { name, masks } of cases) {
    const planned = columns.map(({ oid }, index) => {
      const spec = masks[index];
      return spec === undefined ? undefined : planMask(spec, field(oid), lookup, key);
    });
    const { rowsPerSecond, secondsPerMillion } = measure(planned);
    if (json) {
      const common = { bench: 'masking-library', against: 'goal' };
      console.log(
        JSON.stringify({
          ...common,
          metric: `${name}: rows/s`,
          value: Math.round(rowsPerSecond),
          ratio: rowsPerSecond / 4e6,
        }),
      );
      console.log(
        JSON.stringify({
          ...common,
          metric: `${name}: CPU s/million`,
          value: secondsPerMillion,
          ratio: secondsPerMillion / 0.6,
        }),
      );
    } else {
      const rate = (rowsPerSecond / 1e6).toFixed(2).padStart(6);
      console.log(`${name.padEnd(36)} ${rate} million rows/s  ${secondsPerMillion.toFixed(3)} s CPU per million rows`);
    }
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await run(process.argv.includes('--json'));
