// Frames cut at every possible border of chunks, and rows masked in any chunking: always the same result.

import type { Socket } from 'node:net';
import { Writable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FieldMask } from '../../../protocols/gate.ts';
import { FrameCutter, type FrameHandler, type Treatment } from '../../../protocols/postgres/frames.ts';
import { MalformedRow, RowMasker } from '../../../protocols/postgres/rows.ts';
import { ServerFrames } from '../../../protocols/postgres/server-frames.ts';
import { Output } from '../../../protocols/shared/output.ts';
import { RowRoom } from '../../../protocols/shared/row-room.ts';
import { int32, message } from './support.ts';

class Sink extends Writable {
  readonly parts: Buffer[] = [];
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    // Copied at once: what was forwarded may be used again from here on.
    this.parts.push(Buffer.from(chunk));
    done();
  }
  get bytes(): Buffer {
    return Buffer.concat(this.parts);
  }
}

const sinkOutput = () => {
  const sink = new Sink();
  return { sink, output: new Output(sink as unknown as Socket) };
};

function chunks(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const parts: Buffer[] = [];
  let at = 0;
  for (const size of sizes) {
    if (at >= bytes.length) break;
    parts.push(Buffer.from(bytes.subarray(at, at + size)));
    at += size;
  }
  if (at < bytes.length) parts.push(Buffer.from(bytes.subarray(at)));
  return parts;
}

const frame = fc.tuple(fc.constantFrom('Q', 'd', 'x', 'S'), fc.uint8Array({ maxLength: 40 }));
const sizes = fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 60 });

describe("the client's frames", () => {
  class Recorder implements FrameHandler {
    readonly log: string[] = [];
    stopped = false;
    private passing = '';
    treat(type: number): Treatment {
      this.flush();
      return type === 0x64 ? 'pass' : type === 0x78 ? 'skip' : 'whole';
    }
    frame(type: number, bytes: Buffer, start: number, end: number): void {
      this.log.push(`${String.fromCharCode(type)}:${bytes.toString('hex', start, end)}`);
    }
    piece(bytes: Buffer, start: number, end: number): void {
      this.passing += bytes.toString('hex', start, end);
    }
    flush(): void {
      if (this.passing !== '') this.log.push(`d:${this.passing}`);
      this.passing = '';
    }
  }

  test('are the same at any cutting, with stops in between', () => {
    fc.assert(
      fc.property(fc.array(frame), sizes, fc.nat(5), (frames, cuts, stop) => {
        const bytes = Buffer.concat(frames.map(([type, body]) => message(type, Buffer.from(body))));
        const expected = frames
          .filter(([type]) => type !== 'x')
          .map(([type, body]) => `${type}:${message(type, Buffer.from(body)).toString('hex')}`);
        const recorder = new Recorder();
        const cutter = new FrameCutter(recorder);
        chunks(bytes, cuts).forEach((chunk, index) => {
          recorder.stopped = stop > 0 && index % stop === 0;
          cutter.push(chunk);
          cutter.run();
        });
        recorder.stopped = false;
        cutter.run();
        recorder.flush();
        expect(recorder.log).toEqual(expected);
        expect(cutter.backlog).toBe(0);
      }),
    );
  });
});

describe("the server's frames", () => {
  test('pass unchanged at any cutting, whole, in pieces or dropped', () => {
    const served = fc.tuple(fc.constantFrom('D', 'T', 'd', 'N'), fc.uint8Array({ maxLength: 40 }));
    fc.assert(
      fc.property(fc.array(served), sizes, fc.boolean(), (frames, cuts, whole) => {
        const bytes = Buffer.concat(frames.map(([type, body]) => message(type, Buffer.from(body))));
        const { sink, output } = sinkOutput();
        const server = new ServerFrames(
          {
            rows(chunk, start, end) {
              let at = start;
              while (end - at >= 5 && chunk[at] === 0x44 && at + 1 + chunk.readInt32BE(at + 1) <= end) {
                const next = at + 1 + chunk.readInt32BE(at + 1);
                output.forward(chunk, at, next);
                at = next;
              }
              return at;
            },
            frame: (type) => (type === 0x4e ? 'drop' : 'keep'),
            partial: (type) => (type === 0x4e ? 'drop' : whole ? 'whole' : 'keep'),
          },
          output,
        );
        for (const chunk of chunks(bytes, cuts)) {
          server.push(chunk, chunk.length);
          output.flush();
          // The chunk is used again.
          chunk.fill(0xee);
        }
        const expected = frames
          .filter(([type]) => type !== 'N')
          .map(([type, body]) => message(type, Buffer.from(body)));
        expect(sink.bytes.toString('hex')).toBe(Buffer.concat(expected).toString('hex'));
      }),
    );
  });
});

describe('masked rows', () => {
  /** Keeps the last byte and stars the rest; says of itself whether it works in place. */
  const star = (inPlace: (length: number) => boolean, stretch: number): FieldMask => ({
    inPlace(bytes, start, end) {
      if (!inPlace(end - start)) return false;
      bytes.fill(0x2a, start, end);
      return true;
    },
    bound: (length) => length + stretch,
    write(_from, start, end, to, at) {
      to.fill(0x2a, at, at + end - start + stretch);
      return at + end - start + stretch;
    },
  });
  const nulls: FieldMask = { inPlace: () => false, bound: () => 0, write: () => -1 };

  const row = (values: readonly (Uint8Array | null)[]) =>
    message(
      'D',
      Buffer.concat([
        Buffer.from([values.length >> 8, values.length & 255]),
        ...values.map((value) => (value === null ? int32(-1) : Buffer.concat([int32(value.length), value]))),
      ]),
    );

  test('come out the same in place and copied, in any mix', () => {
    const value = fc.option(fc.uint8Array({ maxLength: 100 }));
    const table = fc.integer({ min: 1, max: 6 }).chain((width) =>
      fc.tuple(
        fc.array(fc.constantFrom('none', 'in place', 'long', 'longer', 'null'), {
          minLength: width,
          maxLength: width,
        }),
        fc.array(fc.array(value, { minLength: width, maxLength: width }), { maxLength: 30 }),
      ),
    );
    const kinds: Record<string, FieldMask | undefined> = {
      none: undefined,
      'in place': star(() => true, 0),
      // In place only where the length is even, copied otherwise: both ways in one result.
      long: star((length) => length % 2 === 0, 0),
      longer: star(() => false, 700),
      null: nulls,
    };
    fc.assert(
      fc.property(table, ([masks, rows]) => {
        const { sink, output } = sinkOutput();
        const room = new RowRoom(output);
        const masker = new RowMasker(
          masks.map((kind) => kinds[kind]),
          room,
        );
        let bytes = 0;
        rows.forEach((values, index) => {
          const frame = row(values);
          bytes += masker.row(frame, 0, frame.length, output);
          if (index % 7 === 0) {
            output.flush();
            room.recycle();
            frame.fill(0xee);
          }
        });
        output.flush();
        const expected = Buffer.concat(
          rows.map((values) =>
            row(
              values.map((each, column) => {
                const kind = masks[column];
                if (each === null || kind === 'none') return each;
                if (kind === 'null') return null;
                return Buffer.alloc(each.length + (kind === 'longer' ? 700 : 0), '*');
              }),
            ),
          ),
        );
        expect(sink.bytes.toString('hex')).toBe(expected.toString('hex'));
        expect(bytes).toBe(expected.length);
      }),
    );
  });

  test('that do not match their description are refused, with nothing sent', () => {
    const whole = row([Buffer.from('secret'), Buffer.from('rest')]);
    for (const masks of [[star(() => true, 0)], [undefined, star(() => false, 1), undefined]]) {
      const { sink, output } = sinkOutput();
      const masker = new RowMasker(masks, new RowRoom(output));
      expect(() => masker.row(Buffer.from(whole), 0, whole.length, output)).toThrow(MalformedRow);
      output.flush();
      expect(sink.bytes).toHaveLength(0);
    }
    fc.assert(
      fc.property(fc.nat(whole.length - 6), fc.integer({ min: 0, max: 255 }), (at, byte) => {
        const broken = Buffer.from(whole);
        broken[5 + at] = byte;
        const { output } = sinkOutput();
        const masker = new RowMasker([undefined, star(() => false, 3)], new RowRoom(output));
        try {
          masker.row(broken, 0, broken.length, output);
        } catch (cause) {
          expect(cause).toBeInstanceOf(MalformedRow);
        }
      }),
    );
  });
});
