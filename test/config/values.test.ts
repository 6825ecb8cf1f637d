// Single values of the file: durations, sizes, addresses, and the suggestions for misspelt words.
import { describe, expect, test } from 'vitest';
import { nearest } from '../../src/config/suggest.ts';
import { isLoopback, parseAddress, parseDuration, parseSize } from '../../src/config/values.ts';

test.each([
  ['500ms', 500],
  ['30s', 30_000],
  ['10m', 600_000],
  ['1h30m', 5_400_000],
  ['1.5h', 5_400_000],
  ['90d', 7_776_000_000],
  ['2w', 1_209_600_000],
  ['0s', 0],
  ['', undefined],
  ['30', undefined],
  ['30 s', undefined],
  ['-30s', undefined],
  ['30S', undefined],
  ['1e3s', undefined],
  ['s30', undefined],
  ['99999999999w', undefined],
])('the duration %j is %s milliseconds', (text, expected) => {
  expect(parseDuration(text)).toBe(expected);
});

test.each([
  ['512B', 512],
  ['64KiB', 65_536],
  ['64kb', 64_000],
  ['16MiB', 16_777_216],
  ['1.5 GB', 1_500_000_000],
  ['1TiB', 1_099_511_627_776],
  ['16', undefined],
  ['16M', undefined],
  ['-1B', undefined],
  ['99999999999TB', undefined],
])('the size %j is %s bytes', (text, expected) => {
  expect(parseSize(text)).toBe(expected);
});

test.each([
  ['127.0.0.1:6432', { host: '127.0.0.1', port: 6432 }],
  ['[::1]:6432', { host: '::1', port: 6432 }],
  ['localhost:0', { host: 'localhost', port: 0 }],
  ['db.example.com:65535', { host: 'db.example.com', port: 65_535 }],
  [':6432', { host: '0.0.0.0', port: 6432 }],
  ['*:6432', { host: '0.0.0.0', port: 6432 }],
  ['6432', { host: '127.0.0.1', port: 6432 }],
  [6432, { host: '127.0.0.1', port: 6432 }],
  ['::1:6432', undefined],
  ['127.0.0.1', undefined],
  ['127.0.0.1:65536', undefined],
  ['127.0.0.1:-1', undefined],
  ['host name:1', undefined],
  [-1, undefined],
  [1.5, undefined],
])('the address %j is %j', (text, expected) => {
  expect(parseAddress(text)).toEqual(expected);
});

test.each([
  ['127.0.0.1', true],
  ['127.255.0.9', true],
  ['::1', true],
  ['[::1]', true],
  ['localhost', true],
  ['gate.localhost', true],
  ['0.0.0.0', false],
  ['127.0.0.1.evil.example.com', false],
  ['localhost.evil.example.com', false],
  ['10.0.0.1', false],
])('that %s is loopback is %s', (host, expected) => {
  expect(isLoopback(host)).toBe(expected);
});

describe('suggestions', () => {
  const known = ['max-rows', 'statement-timeout', 'tables', 'targets', 'hours', 'on', 'mode'];
  test.each([
    ['maxRows', 'max-rows'],
    ['max_rows', 'max-rows'],
    ['tabels', 'tables'],
    ['statment-timeout', 'statement-timeout'],
    ['hour', 'hours'],
    ['mdoe', 'mode'],
    ['zebra', undefined],
    ['x'.repeat(1000), undefined],
  ])('for %s: %s', (word, expected) => {
    expect(nearest(word, known)).toBe(expected);
  });
});
