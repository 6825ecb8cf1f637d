// Hours of roles: days, spans over midnight, time zones with their changes of the clock.
import { describe, expect, test } from 'vitest';
import { isWithin, parseHours } from '../../src/policy/index.ts';

function within(text: string, time: string): boolean {
  const hours = parseHours(text);
  if (typeof hours === 'string') throw new Error(hours);
  return isWithin(hours, new Date(time));
}

// 2026-01-05 is a Monday. Berlin is at +01:00 in winter and at +02:00 in summer.
describe('hours', () => {
  test.each([
    ['Mon-Fri 07:00-19:00 Europe/Berlin', '2026-01-05T05:59:59Z', false],
    ['Mon-Fri 07:00-19:00 Europe/Berlin', '2026-01-05T06:00:00Z', true],
    ['Mon-Fri 07:00-19:00 Europe/Berlin', '2026-01-05T17:59:59Z', true],
    ['Mon-Fri 07:00-19:00 Europe/Berlin', '2026-01-05T18:00:00Z', false],
    ['Mon-Fri 07:00-19:00 Europe/Berlin', '2026-01-10T10:00:00Z', false],
    ['Mon-Fri 07:00-19:00 Europe/Berlin', '2026-07-06T05:00:00Z', true],
    ['Mon-Fri 07:00-19:00 Europe/Berlin', '2026-07-06T17:00:00Z', false],
    ['Mon 00:00-24:00 Asia/Tokyo', '2026-01-04T15:00:00Z', true],
    ['Mon 00:00-24:00 Asia/Tokyo', '2026-01-05T15:00:00Z', false],
    ['Sun 00:00-24:00 America/Los_Angeles', '2026-01-05T07:59:00Z', true],
    ['Mon-Fri 22:00-06:00', '2026-01-05T23:00:00Z', true],
    ['Mon-Fri 22:00-06:00', '2026-01-10T05:59:00Z', true],
    ['Mon-Fri 22:00-06:00', '2026-01-10T06:00:00Z', false],
    ['Mon-Fri 22:00-06:00', '2026-01-05T05:00:00Z', false],
    ['Fri-Mon 00:00-24:00', '2026-01-04T12:00:00Z', true],
    ['Fri-Mon 00:00-24:00', '2026-01-06T12:00:00Z', false],
    ['07:00-12:00,13:00-19:00', '2026-01-05T12:30:00Z', false],
    ['07:00-12:00,13:00-19:00', '2026-01-05T13:00:00Z', true],
    ['sat, sun 10:00-12:00', '2026-01-10T10:00:00Z', true],
    ['Mon-Fri 07:00-19:00; Sat 10:00-12:00', '2026-01-10T11:00:00Z', true],
    ['monday 07:00-08:00', '2026-01-05T07:30:00Z', true],
    ['daily 07:00-08:00 UTC', '2026-01-10T07:30:00Z', true],
    // The night in which 02:00 to 03:00 does not exist, and the one in which it comes twice.
    ['02:00-03:00 Europe/Berlin', '2026-03-29T01:00:00Z', false],
    ['02:00-03:00 Europe/Berlin', '2026-10-25T00:30:00Z', true],
    ['02:00-03:00 Europe/Berlin', '2026-10-25T01:30:00Z', true],
    // Zones that are not at whole hours.
    ['09:00-10:00 Asia/Kathmandu', '2026-01-05T03:15:00Z', true],
    ['09:00-10:00 Asia/Kathmandu', '2026-01-05T03:14:00Z', false],
  ])('%s at %s: %s', (text, time, expected) => {
    expect(within(text, time)).toBe(expected);
  });

  test.each([
    '',
    'always',
    'Mon-Fri',
    'Mon-Fri 7-19',
    'Mon-Fri 07:00',
    'Mon-Fri 07:00-19:60',
    'Mon-Fri 24:00-25:00',
    'Mon-Fri 07:00-07:00',
    'Mo-Fr 07:00-19:00',
    'Mon-Tue-Wed 07:00-19:00',
    'Mon-Fri 07:00-19:00 Berlin',
    'Mon-Fri 07:00-19:00 Europe/Berlin and more',
    'Mon-Fri 07:00-19:00;',
  ])('%s is no time', (text) => {
    expect(typeof parseHours(text)).toBe('string');
  });
});
