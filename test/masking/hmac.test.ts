// The keyed hash against node:crypto's.
import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { keyedHash } from '../../src/masking/hmac.ts';
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
