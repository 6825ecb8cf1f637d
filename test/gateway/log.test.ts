// The log takes of an error what it names, and nothing that hangs on it.
import { expect, test } from 'vitest';
import { errorFields } from '../../src/gateway/log.ts';

test('what a driver hangs on its errors stays out of the log', () => {
  const cause = Object.assign(new Error('lost', { cause: new TypeError('reset') }), {
    code: '57P01',
    client: { secretKey: 'a-key' },
  });
  expect(errorFields(cause)).toMatchObject({
    type: 'Error',
    message: 'lost',
    code: '57P01',
    cause: { message: 'reset' },
  });
  expect(JSON.stringify(errorFields(cause))).not.toContain('a-key');
});

test('what is no error is said in words', () => {
  expect(errorFields(undefined)).toBe('undefined');
  expect(errorFields('as it is')).toBe('as it is');
});
