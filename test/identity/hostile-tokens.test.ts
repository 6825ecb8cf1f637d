// Hostile and broken tokens: each is refused by the check that should stop it, and the refusal repeats nothing of it.
import { createHmac, sign as cryptoSign, KeyObject } from 'node:crypto';
import { exportSPKI, SignJWT } from 'jose';
import { beforeAll, describe, expect, test } from 'vitest';
import type { IdentityVerifier } from '../../src/identity/index.ts';
import { createIdentity } from '../../src/identity/index.ts';
import { goodClaims, identityConfig, keyFolder, makeKey, noon, raw, sign, type TestKey } from './support.ts';

const folder = keyFolder();
const canary = 'canary-9f3a7c';
let rsa: TestKey;
let rsa2: TestKey;
let ec: TestKey;
let ed: TestKey;
let other: TestKey;
let stranger: TestKey;
let identity: IdentityVerifier;

beforeAll(async () => {
  [rsa, rsa2, ec, ed, other, stranger] = await Promise.all([
    makeKey('RS256', 'rsa-1'),
    makeKey('RS256', 'rsa-2'),
    makeKey('ES256', 'ec-1'),
    makeKey('EdDSA', 'ed-1'),
    makeKey('RS256', 'other-1'),
    makeKey('RS256', 'rsa-1'),
  ]);
  await folder.write('idp.json', [rsa.jwk, rsa2.jwk, ec.jwk, ed.jwk]);
  await folder.write('other.json', [other.jwk]);
  const config = identityConfig(folder.path(), [
    { issuer: goodClaims.iss, jwks: 'file:idp.json' },
    { issuer: 'https://other.example.com', jwks: 'file:other.json', algorithms: ['RS256'] },
    { issuer: 'https://broken.example.com', jwks: 'file:missing.json' },
  ]);
  identity = createIdentity(config, { now: () => noon * 1000 });
});

function hmac(alg: string, secret: string, header: object = {}): string {
  const input = raw({ alg, typ: 'JWT', ...header }, goodClaims, '').slice(0, -1);
  return `${input}.${createHmac(`sha${alg.slice(2)}`, secret)
    .update(input)
    .digest('base64url')}`;
}

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

type Case = readonly [name: string, check: string, token: () => string | Promise<string>];

const cases: readonly Case[] = [
  // Not a token at all.
  ['an empty password', 'format', () => ''],
  ['an ordinary password', 'format', () => `hunter2-${canary}`],
  ['one dot', 'format', () => 'a.b'],
  ['dots alone', 'format', () => '..'],
  ['four parts', 'format', () => `${raw({ alg: 'RS256' }, goodClaims)}.AAAA`],
  ['an encrypted token of five parts', 'format', () => 'a.b.c.d.e'],
  ['characters that are not base64url', 'format', () => 'e+/=.e+/=.AAAA'],
  ['a header with padding', 'format', () => raw({ alg: 'RS256' }, goodClaims).replace('.', '=.')],
  ['a header that is no JSON', 'format', () => raw('not json', goodClaims)],
  ['a header that is a list', 'format', () => raw('[1]', goodClaims)],
  ['a header that is null', 'format', () => raw('null', goodClaims)],
  ['claims that are a text', 'format', () => raw({ alg: 'RS256' }, '"text"')],
  [
    'claims that nest a thousand deep',
    'format',
    () => raw({ alg: 'RS256' }, `${'{"a":'.repeat(1000)}1${'}'.repeat(1000)}`),
  ],
  [
    'a header in invalid UTF-8',
    'format',
    () => `${Buffer.from([0x7b, 0xff, 0x7d]).toString('base64url')}.${part(goodClaims)}.AAAA`,
  ],
  ['white space around a good token', 'format', async () => ` ${await sign(rsa)}\n`],
  ['NUL inside', 'format', async () => `${await sign(rsa)}\0`],
  // Size.
  ['17 KiB of claims', 'size', () => sign(rsa, { pad: 'x'.repeat(17 * 1024) })],
  ['a megabyte of dots', 'size', () => '.'.repeat(1024 * 1024)],
  ['16 KiB of two-byte characters', 'size', () => 'é'.repeat(10 * 1024)],
  // Algorithms.
  ['alg none', 'algorithm', () => raw({ alg: 'none' }, goodClaims)],
  ['alg none without a signature', 'algorithm', () => raw({ alg: 'none' }, goodClaims, '')],
  ['alg nOnE', 'algorithm', () => raw({ alg: 'nOnE' }, goodClaims)],
  ['no algorithm', 'algorithm', () => raw({ typ: 'JWT' }, goodClaims)],
  ['an algorithm that is no text', 'algorithm', () => raw({ alg: ['RS256'] }, goodClaims)],
  [
    'HS256 with the public key (PEM) as secret',
    'algorithm',
    async () => hmac('HS256', await exportSPKI(rsa.publicKey), { kid: 'rsa-1' }),
  ],
  [
    'HS256 with the public key (JWK) as secret',
    'algorithm',
    () => hmac('HS256', JSON.stringify(rsa.jwk), { kid: 'rsa-1' }),
  ],
  ['HS512 with the modulus as secret', 'algorithm', () => hmac('HS512', String(rsa.jwk.n), { kid: 'rsa-1' })],
  ['HS256 with an empty secret', 'algorithm', () => hmac('HS256', '')],
  ['RS512, which is not on the list', 'algorithm', () => raw({ alg: 'RS512', kid: 'rsa-1' }, goodClaims)],
  [
    'an algorithm this issuer does not use',
    'algorithm',
    () => raw({ alg: 'ES256' }, { ...goodClaims, iss: 'https://other.example.com' }),
  ],
  ['RSA for encryption as algorithm', 'algorithm', () => raw({ alg: 'RSA-OAEP' }, goodClaims)],
  [
    'ES256 in the header of an RS256 signature',
    'key',
    async () => `${part({ alg: 'ES256', kid: 'rsa-1' })}.${(await sign(rsa)).split('.').slice(1).join('.')}`,
  ],
  // Header tricks.
  ['a critical extension', 'critical', () => raw({ alg: 'RS256', crit: ['exp'], exp: 1 }, goodClaims)],
  ['an empty list of critical extensions', 'critical', () => raw({ alg: 'RS256', crit: [] }, goodClaims)],
  ['unencoded payload (b64 false)', 'critical', () => raw({ alg: 'RS256', b64: false }, goodClaims)],
  ['compressed claims', 'format', () => raw({ alg: 'RS256', zip: 'DEF' }, goodClaims)],
  ['a header that names alg twice', 'format', () => raw('{"alg":"RS256","alg":"none"}', goodClaims)],
  ['a header that names alg twice by an escape', 'format', () => raw('{"alg":"RS256","\\u0061lg":"none"}', goodClaims)],
  ['a kid that is a number', 'format', () => raw({ alg: 'RS256', kid: 7 }, goodClaims)],
  ['a kid that is an object', 'format', () => raw({ alg: 'RS256', kid: { $ne: null } }, goodClaims)],
  ['a kid that is a path', 'key', () => sign(rsa, {}, { kid: '../../../../dev/null' })],
  ['a kid that is SQL', 'key', () => sign(rsa, {}, { kid: "' UNION SELECT 'key' --" })],
  ['the kid of another issuer', 'key', () => sign(other, { iss: goodClaims.iss })],
  ['no kid where several keys fit', 'key', () => sign(rsa, {}, { kid: undefined })],
  ['a logout token', 'type', () => sign(rsa, {}, { typ: 'logout+jwt' })],
  ['a security event token', 'type', () => sign(rsa, {}, { typ: 'secevent+jwt' })],
  ['a DPoP proof', 'type', () => sign(rsa, {}, { typ: 'dpop+jwt' })],
  // Keys brought along.
  ['a key of its own (jwk) in the header', 'signature', () => sign(stranger, {}, { jwk: stranger.jwk })],
  ['a key set of its own (jku)', 'signature', () => sign(stranger, {}, { jku: 'https://evil.example.com/keys' })],
  ['a certificate of its own (x5u)', 'signature', () => sign(stranger, {}, { x5u: 'https://evil.example.com/cert' })],
  ['a certificate chain of its own (x5c)', 'signature', () => sign(stranger, {}, { x5c: ['MIIB'] })],
  // Signatures.
  ['a signature by another key under a known kid', 'signature', () => sign(stranger)],
  ['a signature by the wrong key of the right issuer', 'signature', () => sign(rsa2, {}, { kid: 'rsa-1' })],
  ['no signature', 'signature', async () => `${(await sign(rsa)).split('.').slice(0, 2).join('.')}.`],
  [
    'a signature of zeros',
    'signature',
    async () => `${(await sign(rsa)).split('.').slice(0, 2).join('.')}.${Buffer.alloc(256).toString('base64url')}`,
  ],
  [
    'an ECDSA signature of zeros (r = s = 0)',
    'signature',
    async () => `${(await sign(ec)).split('.').slice(0, 2).join('.')}.${Buffer.alloc(64).toString('base64url')}`,
  ],
  [
    'an ECDSA signature in DER',
    'signature',
    async () => {
      const input = (await sign(ec)).split('.').slice(0, 2).join('.');
      return `${input}.${cryptoSign('sha256', Buffer.from(input), KeyObject.from(ec.privateKey as never)).toString('base64url')}`;
    },
  ],
  [
    'claims changed after signing',
    'signature',
    async () => {
      const [header, , signature] = (await sign(rsa)).split('.');
      return `${header}.${part({ ...goodClaims, groups: ['admin'] })}.${signature}`;
    },
  ],
  ['a signature cut short', 'signature', async () => (await sign(rsa)).slice(0, -8)],
  // Issuers and audiences.
  ['no issuer', 'issuer', () => sign(rsa, { iss: undefined })],
  ['an unknown issuer', 'issuer', () => sign(rsa, { iss: 'https://evil.example.com' })],
  ['the issuer with a slash at its end', 'issuer', () => sign(rsa, { iss: `${goodClaims.iss}/` })],
  ['the issuer in upper case', 'issuer', () => sign(rsa, { iss: 'HTTPS://IDP.EXAMPLE.COM' })],
  ['an issuer that is a list', 'issuer', () => sign(rsa, { iss: [goodClaims.iss] })],
  ['an issuer called __proto__', 'issuer', () => sign(rsa, { iss: '__proto__' })],
  ['an issuer whose keys cannot be read', 'keys-unavailable', () => sign(rsa, { iss: 'https://broken.example.com' })],
  ["one issuer's token in another's name", 'key', () => sign(rsa, { iss: 'https://other.example.com' })],
  ['no audience', 'audience', () => sign(rsa, { aud: undefined })],
  ['another audience', 'audience', () => sign(rsa, { aud: 'billing' })],
  ['a list of other audiences', 'audience', () => sign(rsa, { aud: ['billing', 'sallyport2'] })],
  ['the audience in upper case', 'audience', () => sign(rsa, { aud: 'SALLYPORT' })],
  ['an empty audience', 'audience', () => sign(rsa, { aud: [] })],
  ['an audience that is an object', 'audience', () => sign(rsa, { aud: { sallyport: true } })],
  // Times.
  ['an expired token', 'expiry', () => sign(rsa, { exp: noon - 31 })],
  ['no expiry', 'expiry', () => sign(rsa, { exp: undefined })],
  ['an expiry that is a text', 'expiry', () => sign(rsa, { exp: String(noon + 600) as never })],
  [
    'an expiry beyond all numbers',
    'lifetime',
    () => signText(`{"iss":"${goodClaims.iss}","aud":"sallyport","sub":"x","exp":1e308}`),
  ],
  [
    'an infinite expiry',
    'expiry',
    () => signText(`{"iss":"${goodClaims.iss}","aud":"sallyport","sub":"x","exp":1e999}`),
  ],
  ['a token for ten years', 'lifetime', () => sign(rsa, { exp: noon + 10 * 365 * 86_400 })],
  ['a token of tomorrow', 'not-before', () => sign(rsa, { nbf: noon + 3600 })],
  ['a not-before that is a text', 'not-before', () => sign(rsa, { nbf: 'now' as never })],
  ['a token issued in the future', 'issued-at', () => sign(rsa, { iat: noon + 3600 })],
  // Claims.
  ['a token bound to a key of its holder', 'binding', () => sign(rsa, { cnf: { jkt: 'x' } })],
  ['no subject', 'claims', () => sign(rsa, { sub: undefined })],
  ['an empty subject', 'claims', () => sign(rsa, { sub: '' })],
  ['a subject with a line break', 'claims', () => sign(rsa, { sub: `a\nb ${canary}` })],
  ['a subject with NUL', 'claims', () => sign(rsa, { sub: 'a\0b' })],
  ['a subject written right to left', 'claims', () => sign(rsa, { sub: 'a\u202eb' })],
  ['a subject of 10,000 characters', 'claims', () => sign(rsa, { sub: 'a'.repeat(10_000) })],
  ['a subject that is an object', 'claims', () => sign(rsa, { sub: { id: 1 } as never })],
  ['groups that are a number', 'claims', () => sign(rsa, { groups: 7 })],
  ['groups that are an object', 'claims', () => sign(rsa, { groups: { admin: true } })],
  ['a group that is a list', 'claims', () => sign(rsa, { groups: [['admin']] })],
  ['groups with a line break', 'claims', () => sign(rsa, { groups: ['a\nadmin'] })],
  [
    'claims that name groups twice',
    'format',
    () =>
      signText(
        `{"iss":"${goodClaims.iss}","aud":"sallyport","sub":"x","exp":${noon + 60},"groups":["a"],"groups":["admin"]}`,
      ),
  ],
  ['an actor that is a text', 'claims', () => sign(rsa, { act: 'someone' })],
  ['an actor without a name', 'claims', () => sign(rsa, { act: {} })],
  [
    'a chain of thirty actors',
    'claims',
    () =>
      sign(rsa, {
        act: Array.from({ length: 30 }).reduce<object>((act, _, at) => ({ sub: `a${at}`, act }), { sub: 'z' }),
      }),
  ],
];

/** An ES256 token over an exact text, signed by the issuer itself. */
async function signText(payload: string): Promise<string> {
  const input = `${part({ alg: 'ES256', kid: 'ec-1' })}.${Buffer.from(payload).toString('base64url')}`;
  const signature = await crypto.subtle.sign(
    { name: 'ECDSA', hash: 'SHA-256' },
    ec.privateKey as never,
    Buffer.from(input),
  );
  return `${input}.${Buffer.from(signature).toString('base64url')}`;
}

describe('a hostile or broken token is refused:', () => {
  test.each(cases)('%s (%s)', async (_name, check, token) => {
    const text = await token();
    const result = await identity.verify(text);
    expect(result).toMatchObject({ kind: 'refused', check });
    if (result.kind !== 'refused') return;
    expect(result.message).not.toContain(canary);
    for (const piece of text.split('.').filter((each) => each.length > 20))
      expect(result.message).not.toContain(piece.slice(0, 20));
  });

  test('at least sixty cases are tried', () => {
    expect(cases.length).toBeGreaterThanOrEqual(60);
    expect(new Set(cases.map(([name]) => name)).size).toBe(cases.length);
  });

  test('the refusal makes the name of an unknown issuer printable and short', async () => {
    const result = await identity.verify(await sign(rsa, { iss: `evil\n\u001b[2J"'; DROP ${'x'.repeat(500)}` }));
    expect(result.kind === 'refused' && result.message).toMatch(
      /^the issuer "evil\?\?\[2J\?'; DROP x+\.\.\." is not trusted here$/,
    );
  });

  test('and the verifier goes on verifying good ones', async () => {
    expect(await identity.verify(await sign(rsa))).toMatchObject({ kind: 'verified' });
  });

  test('a token is refused again after it was refused', async () => {
    const token = await new SignJWT({}).setProtectedHeader({ alg: 'RS256', kid: 'rsa-1' }).sign(stranger.privateKey);
    expect(await identity.verify(token)).toEqual(await identity.verify(token));
  });
});
