// SCRAM-SHA-256 against the example of RFC 7677, and both sides against each other.
import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  clientFirst,
  endpointHash,
  ScramError,
  saslPrep,
  scramVerifier,
  serverFirst,
} from '../../../protocols/postgres/scram.ts';
import { signatureHash } from '../../../protocols/postgres/signature.ts';
import { md5Password } from '../../../protocols/postgres/upstream.ts';

// RFC 7677, section 3: user "user", password "pencil".
const rfc = {
  clientFirst: 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO',
  serverNonce: '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
  serverFirst: 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
  clientFinal:
    'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
  serverFinal: 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
};
const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64');

describe('SCRAM-SHA-256', () => {
  test("the server's side speaks the example of RFC 7677", () => {
    const exchange = serverFirst(rfc.clientFirst, scramVerifier('pencil', salt, 4096), rfc.serverNonce);
    expect(exchange.message).toBe(rfc.serverFirst);
    expect(exchange.finish(rfc.clientFinal)).toBe(rfc.serverFinal);
  });

  test('a wrong password, a foreign nonce and a changed header are refused', () => {
    const exchange = serverFirst(rfc.clientFirst, scramVerifier('pen', salt, 4096), rfc.serverNonce);
    expect(() => exchange.finish(rfc.clientFinal)).toThrow(new ScramError('proof', 'wrong password'));
    const right = serverFirst(rfc.clientFirst, scramVerifier('pencil', salt, 4096), rfc.serverNonce);
    expect(() => right.finish(rfc.clientFinal.replace('rOpr', 'sOpr'))).toThrow(/nonce/);
    expect(() => right.finish(rfc.clientFinal.replace('c=biws', 'c=eSws'))).toThrow(/channel-binding/);
    expect(() => right.finish(rfc.clientFinal.replace(/,p=.*/, ''))).toThrow(/proof/);
  });

  test.each(['', 'n,', 'p=tls-unique,,n=,r=x', 'n,,m=1,r=x', 'n,,n=x', 'n,,n=x,r=', 'n,,n=x,r=\u0007'])(
    'a client-first-message %j is refused',
    (message) => {
      expect(() => serverFirst(message, scramVerifier('x', salt, 1), 's')).toThrow(ScramError);
    },
  );

  test('both sides agree on any password, with and without channel binding', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), fc.boolean(), (password, tls) => {
        const client = clientFirst(password, 'clientnonce', { kind: tls ? 'unused' : 'none' });
        const server = serverFirst(client.message, scramVerifier(password, salt, 2), 'servernonce');
        const final = client.finish(server.message);
        final.verify(server.finish(final.message));
      }),
      { numRuns: 50 },
    );
  });

  test('the client refuses a server that does not know the password or does not continue its nonce', () => {
    const client = clientFirst('right', 'abc', { kind: 'none' });
    const final = client.finish(serverFirst(client.message, scramVerifier('right', salt, 2), 'def').message);
    expect(() => final.verify(`v=${Buffer.alloc(32).toString('base64')}`)).toThrow(/does not know/);
    expect(() => client.finish('r=xyz,s=AAAA,i=2')).toThrow(/nonce/);
    expect(() => client.finish('r=abcd,s=AAAA,i=999999999')).toThrow(/iteration/);
  });

  test('passwords are prepared as the server does', () => {
    expect(saslPrep('I\u00adX')).toBe('IX');
    expect(saslPrep('\u2168')).toBe('IX');
    expect(saslPrep('a\u00a0b')).toBe('a b');
    expect(saslPrep('\u0007')).toBe('\u0007');
  });
});

test('the channel binding hash is that of the certificate signature, SHA-256 where that is weak', () => {
  const pem = readFileSync(new URL('../../../fixtures/wire/postgres/tls/server.pem', import.meta.url));
  const { raw } = new X509Certificate(pem);
  expect(signatureHash(raw)).toBe('sha384');
  expect(endpointHash(raw, 'sha384')).toEqual(createHash('sha384').update(raw).digest());
  expect(endpointHash(raw, 'sha1')).toEqual(createHash('sha256').update(raw).digest());
  expect(signatureHash(Buffer.from('nonsense'))).toBeUndefined();
});

test('an md5 password is salted as the protocol says', () => {
  expect(md5Password('user', 'secret', Buffer.from([1, 2, 3, 4]))).toBe(
    `md5${createHash('md5')
      .update(createHash('md5').update('secretuser').digest('hex'))
      .update(Buffer.from([1, 2, 3, 4]))
      .digest('hex')}`,
  );
});
