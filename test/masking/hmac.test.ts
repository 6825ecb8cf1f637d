// The keyed hash against node:crypto's.
import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { keyedHash, loadLane, SHORT } from '../../src/masking/hmac.ts';
import { LANES } from '../../src/masking/hmac-lanes.ts';
import { maskKey, planMask } from '../../src/masking/index.ts';
import { runs } from './support.ts';

const out = Buffer.alloc(64);

test('is HMAC-SHA-256 for every key and message', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.uint8Array({ maxLength: 300 }), (key, message) => {
      const hash = keyedHash(key);
      hash.update(message, 0, message.length);
      const expected = createHmac('sha256', key).update(message).digest();
      expect(hash.raw(32, out, 0)).toBe(32);
      expect(out.subarray(0, 32)).toEqual(expected);
      hash.hex(64, out, 0);
      expect(out.toString()).toBe(expected.toString('hex'));
      expect(hash.whole(Number.MAX_SAFE_INTEGER)).toBe(
        Math.floor(expected.readUInt32BE(0) / 2048) * 2 ** 32 + expected.readUInt32BE(4),
      );
    }),
    runs,
  );
});

test('agrees at every length around the end of a block', () => {
  const key = Buffer.alloc(32, 7);
  const hash = keyedHash(key);
  const message = Buffer.alloc(200, 'x');
  for (let length = 0; length <= 200; length++) {
    hash.update(message, 0, length);
    hash.raw(32, out, 0);
    expect(out.subarray(0, 32)).toEqual(createHmac('sha256', key).update(message.subarray(0, length)).digest());
  }
});

test('stays within the range asked for', () => {
  const hash = keyedHash(Buffer.alloc(32));
  fc.assert(
    fc.property(fc.uint8Array(), fc.maxSafeNat(), (message, most) => {
      hash.update(message, 0, message.length);
      const value = hash.whole(most);
      expect(Number.isSafeInteger(value) && value >= 0 && value <= most).toBe(true);
    }),
    runs,
  );
});

test('four lanes give the hash of each of four values, whatever stood in them before', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 64 }),
      fc.array(fc.uint8Array({ maxLength: SHORT }), { minLength: 1, maxLength: 9 }),
      (key, messages) => {
        const lanes = keyedHash(key).lanes();
        if (lanes === undefined) throw new Error('this machine has no SIMD');
        messages.forEach((message, index) => {
          const bytes = Buffer.from(message);
          const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
          loadLane(lanes.block, index % LANES, bytes, view, 0, bytes.length);
        });
        lanes.run();
        messages.slice(-LANES).forEach((message, index) => {
          const lane = (Math.max(0, messages.length - LANES) + index) % LANES;
          const words = Buffer.alloc(32);
          for (let word = 0; word < 8; word++) words.writeInt32BE(lanes.digest[word * LANES + lane] ?? 0, word * 4);
          expect(words).toEqual(createHmac('sha256', key).update(message).digest());
        });
      },
    ),
    runs,
  );
});

test('a deferred hash is the same value as one written at once, after flush', () => {
  const field = { dialect: 'postgres', name: 'c', tableOid: 0, attnum: 0, typeOid: 25, typmod: -1 } as const;
  const mask = planMask(
    { kind: 'hash' },
    { ...field, binary: false },
    { typeInfo: () => undefined },
    maskKey('k', 't'),
  );
  const { deferred } = mask;
  if (deferred === undefined) throw new Error('this machine has no SIMD');
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 12 }), (values) => {
      const to = Buffer.alloc(values.length * 32);
      const expected = Buffer.alloc(values.length * 32);
      values.forEach((value, index) => {
        const from = Buffer.concat([Buffer.from('before'), value, Buffer.from('after')]);
        expect(deferred.write(from, 6, 6 + value.length, to, index * 32)).toBe(index * 32 + 32);
        mask.write(from, 6, 6 + value.length, expected, index * 32);
        from.fill(0);
      });
      deferred.flush();
      expect(to).toEqual(expected);
    }),
    runs,
  );
});
