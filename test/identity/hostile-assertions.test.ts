// Hostile and broken SAML assertions: each is refused by the check that should stop it, and the refusal repeats nothing of it.
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createSamlVerifier } from '../../src/identity/index.ts';
import {
  type AssertionOptions,
  assertion,
  audience,
  base64,
  confirmation,
  enveloped,
  exclusive,
  fixture,
  at as fromNow,
  keyInfo,
  provider,
  response,
  type SignOptions,
  signatureOf,
  signedAssertion,
} from './saml-support.ts';

const canary = 'canary-9f3a7c';
const saml = createSamlVerifier({
  issuer: provider,
  audience,
  certificate: fixture('idp.pem'),
  groupsAttribute: 'groups',
  recipient: undefined,
});

const evil = { nameId: `root-${canary}`, groups: ['dba'] };
const signed = signedAssertion;
const unsigned = (options: AssertionOptions = {}) => {
  const { before, after } = assertion(options);
  return before + after;
};
/** Signed, then changed. */
const spoilt = (from: string | RegExp, to: string, options: AssertionOptions = {}) => signed(options).replace(from, to);

/** A good assertion taken apart for wrapping: the signed original, and its signature alone. */
function parts(options: AssertionOptions = {}, sign: SignOptions = {}) {
  const { id, before, after } = assertion(options);
  const original = before + after;
  const signature = signatureOf(id, original, sign);
  return { id, before, after, original, signature, whole: `${before}${signature}${after}` };
}

const statement = (attributes: string) => `<saml:AttributeStatement>${attributes}</saml:AttributeStatement>`;
const group = (value: string) =>
  statement(`<saml:Attribute Name="groups"><saml:AttributeValue>${value}</saml:AttributeValue></saml:Attribute>`);
const conditions = (inner: string, span = `NotOnOrAfter="${fromNow(60_000)}"`) =>
  `<saml:Conditions ${span}>${inner}</saml:Conditions>`;
const restriction = `<saml:AudienceRestriction><saml:Audience>${audience}</saml:Audience></saml:AudienceRestriction>`;

type Case = readonly [name: string, check: string, make: () => string];

const cases: readonly Case[] = [
  // No assertion at all.
  ['nothing', 'format', () => ''],
  ['a password', 'format', () => `hunter2 ${canary}`],
  ['a JSON web token', 'format', () => 'eyJhbGciOiJub25lIn0.e30.'],
  ['base64 of bytes that are no text', 'format', () => Buffer.from([0xff, 0xfe, 0x3c, 0]).toString('base64')],
  ['UTF-16', 'format', () => Buffer.from(`\ufeff${signed()}`, 'utf16le').toString('base64')],
  ['another root element', 'markup', () => `<evil>${signed()}</evil>`],
  ['a logout request', 'markup', () => '<samlp:LogoutRequest xmlns:samlp="p" ID="_1"></samlp:LogoutRequest>'],
  ['an empty response', 'wrapping', () => response()],
  ['text around it', 'markup', () => base64(`hello ${signed()}`)],
  ['text after it', 'markup', () => `${signed()}bye`],
  ['a half of it', 'markup', () => signed().slice(0, -20)],
  ['tags that cross', 'markup', () => spoilt('</saml:NameID>', '</saml:Subject>')],
  [
    'an encrypted assertion',
    'format',
    () => response('<saml:EncryptedAssertion xmlns:saml="a"></saml:EncryptedAssertion>'),
  ],
  [
    'an encrypted name',
    'format',
    () => signed({ subject: '<saml:Subject><saml:EncryptedID></saml:EncryptedID></saml:Subject>' }),
  ],

  // Markup that parsers are attacked with.
  ['a document type', 'markup', () => `<!DOCTYPE a>${signed()}`],
  [
    'an external entity',
    'markup',
    () => `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>${spoilt('crew-support-7', '&x;')}`,
  ],
  [
    'entities that multiply',
    'markup',
    () => `<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>${spoilt('crew-support-7', '&b;')}`,
  ],
  [
    'an external parameter entity',
    'markup',
    () => `<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:1/x"> %x;]>${signed()}`,
  ],
  ['an entity without a declaration', 'markup', () => spoilt('crew-support-7', 'crew&x;')],
  ['a comment in the name', 'markup', () => spoilt('crew-support-7', 'crew-support-7<!-- -->.evil')],
  ['a signed comment in the name', 'markup', () => signed({ nameId: 'admin<!---->.evil' })],
  ['a CDATA section in the name', 'markup', () => spoilt('crew-support-7', '<![CDATA[admin]]>')],
  ['a processing instruction', 'markup', () => spoilt('crew-support-7', '<?evil x?>admin')],
  ['a stylesheet in front', 'markup', () => `<?xml-stylesheet href="x"?>${signed()}`],
  ['another encoding', 'markup', () => `<?xml version="1.0" encoding="UTF-7"?>${signed()}`],
  ['an attribute twice', 'markup', () => spoilt('Version="2.0"', 'Version="2.0" Version="1.0"')],
  ['a NUL in the name', 'markup', () => spoilt('crew-support-7', 'crew\u0000')],
  ['a thousand levels', 'markup', () => spoilt('crew-support-7', `${'<a>'.repeat(1000)}${'</a>'.repeat(1000)}`)],
  ['ten thousand elements', 'markup', () => spoilt('crew-support-7', '<a></a>'.repeat(10_000))],
  ['a megabyte', 'size', () => signed({ nameId: 'x'.repeat(1024 * 1024) })],
  ['a megabyte in base64', 'size', () => base64('x'.repeat(1024 * 1024))],

  // Signatures that are missing, of others, or weak.
  ['no signature', 'signature', () => unsigned(evil)],
  ['a response without signatures', 'signature', () => response(unsigned(evil))],
  [
    'a signed response around an unsigned assertion',
    'signature',
    () => {
      const whole = response(unsigned(evil));
      const id = /ID="(_r\d+)"/.exec(whole)?.[1] ?? '';
      return whole.replace('<samlp:Status>', `${signatureOf(id, whole)}<samlp:Status>`);
    },
  ],
  ['the key of another provider', 'signature', () => signed(evil, { key: 'other' })],
  [
    'the key of another provider, with its certificate',
    'signature',
    () => signed(evil, { key: 'other', keyInfo: keyInfo('other') }),
  ],
  [
    'the key of another provider, with our certificate',
    'signature',
    () => signed(evil, { key: 'other', keyInfo: keyInfo('idp') }),
  ],
  ['a name changed afterwards', 'signature', () => spoilt('crew-support-7', canary)],
  ['a group changed afterwards', 'signature', () => spoilt('crew-support<', 'dba<')],
  [
    'a group added afterwards',
    'signature',
    () => spoilt('</saml:Attribute>', '<saml:AttributeValue>dba</saml:AttributeValue></saml:Attribute>'),
  ],
  [
    'a later end put in afterwards',
    'signature',
    () => spoilt(/NotOnOrAfter="[^"]*"><saml:Aud/, `NotOnOrAfter="${fromNow(3_600_000)}"><saml:Aud`),
  ],
  [
    'a signature value that is changed',
    'signature',
    () => spoilt(/<ds:SignatureValue>..../, '<ds:SignatureValue>AAAA'),
  ],
  ['an empty signature value', 'signature', () => spoilt(/<ds:SignatureValue>[^<]*/, '<ds:SignatureValue>')],
  [
    'an empty signature',
    'wrapping',
    () =>
      spoilt(
        /<ds:Signature .*<\/ds:Signature>/,
        '<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"></ds:Signature>',
      ),
  ],
  [
    'a signature of another assertion',
    'signature',
    () => {
      const mine = parts(evil);
      return `${mine.before}${parts().signature}${mine.after}`;
    },
  ],
  [
    'a signature of another assertion with the same ID',
    'signature',
    () => {
      const good = parts();
      const mine = assertion({ ...evil, id: good.id });
      return `${mine.before}${good.signature}${mine.after}`;
    },
  ],
  [
    'SHA-1 in the signature',
    'algorithm',
    () => signed({}, { signature: 'http://www.w3.org/2000/09/xmldsig#rsa-sha1' }),
  ],
  ['SHA-1 in the digest', 'algorithm', () => signed({}, { digest: 'http://www.w3.org/2000/09/xmldsig#sha1' })],
  [
    'a shared key: HMAC with our certificate',
    'algorithm',
    () => {
      const whole = signed({}, { signature: 'http://www.w3.org/2000/09/xmldsig#hmac-sha1' });
      const info = /<ds:SignedInfo>.*<\/ds:SignedInfo>/.exec(whole)?.[0] ?? '';
      const mac = createHmac('sha1', readFileSync(fixture('idp.pem')))
        .update(info)
        .digest('base64');
      return whole.replace(/<ds:SignatureValue>[^<]*/, `<ds:SignatureValue>${mac}`);
    },
  ],
  [
    'a transform by XSLT',
    'algorithm',
    () => signed({}, { transforms: [enveloped, 'http://www.w3.org/TR/1999/REC-xslt-19991116'] }),
  ],
  [
    'a transform by XPath',
    'algorithm',
    () => signed({}, { transforms: ['http://www.w3.org/TR/1999/REC-xpath-19991116', exclusive] }),
  ],
  [
    'canonicalization that keeps comments',
    'algorithm',
    () => signed({}, { transforms: [enveloped, `${exclusive}WithComments`] }),
  ],
  ['many transforms', 'signature', () => signed({}, { transforms: [enveloped, exclusive, exclusive, exclusive] })],
  ['a reference to the whole document', 'signature', () => signed({}, { reference: '' })],
  ['a reference to a file', 'signature', () => signed({}, { reference: 'file:///etc/passwd' })],
  ['a reference to the web', 'signature', () => signed({}, { reference: 'http://127.0.0.1:1/x' })],
  ['a reference that is an XPath injection', 'signature', () => signed({}, { reference: "#x' or '1'='1" })],

  // Signature wrapping (Somorovsky et al., "On Breaking SAML: Be Whoever You Want to Be", USENIX Security 2012).
  ['wrapping: a second assertion in front', 'wrapping', () => response(unsigned(evil), signed())],
  ['wrapping: a second assertion behind', 'wrapping', () => response(signed(), unsigned(evil))],
  [
    'wrapping: the signed one inside the evil one',
    'wrapping',
    () => {
      const mine = assertion(evil);
      return response(`${mine.before}${parts().whole}${mine.after}`);
    },
  ],
  [
    'wrapping: the evil one inside the signed one',
    'wrapping',
    () => {
      const good = parts();
      return `${good.before}${good.signature}${unsigned(evil)}${good.after}`;
    },
  ],
  [
    'wrapping: the original as an object of the signature',
    'wrapping',
    () => {
      const good = parts();
      const mine = assertion(evil);
      const signature = good.signature.replace(
        '</ds:Signature>',
        `<ds:Object>${good.original}</ds:Object></ds:Signature>`,
      );
      return `${mine.before}${signature}${mine.after}`;
    },
  ],
  [
    'wrapping: the original in extensions of the response',
    'wrapping',
    () => response(`<samlp:Extensions>${signed()}</samlp:Extensions>`, unsigned(evil)),
  ],
  [
    'wrapping: the signature over a sibling',
    'wrapping',
    () => {
      const good = parts();
      const mine = assertion(evil);
      return response(`${mine.before}${good.signature}${mine.after}`, good.original);
    },
  ],
  [
    'wrapping: both with the same ID',
    'wrapping',
    () => {
      const good = parts();
      return response(unsigned({ ...evil, id: good.id }), good.whole);
    },
  ],
  [
    'wrapping: the ID of the signed one on another element',
    'wrapping',
    () => {
      const good = parts();
      return good.whole.replace('<saml:Subject>', `<saml:Subject ID="${good.id}">`);
    },
  ],
  [
    'wrapping: the same ID by an attribute of another case',
    'wrapping',
    () => {
      const good = parts();
      return good.whole.replace('<saml:Subject>', `<saml:Subject Id="${good.id}">`);
    },
  ],
  [
    'wrapping: the signed assertion in another namespace prefix',
    'wrapping',
    () => {
      const good = parts().whole.replaceAll('saml:', 's2:').replace('xmlns:s2:', 'xmlns:s2');
      return response(good, unsigned(evil));
    },
  ],
  ['wrapping: a response in a response', 'wrapping', () => response(response(signed()))],
  [
    'wrapping: an assertion as advice',
    'wrapping',
    () => signed({ statement: `<saml:Advice>${unsigned(evil)}</saml:Advice>` }),
  ],
  [
    'wrapping: two signatures',
    'wrapping',
    () => {
      const good = parts();
      return `${good.before}${good.signature}${good.signature}${good.after}`;
    },
  ],
  [
    'wrapping: two SignedInfo',
    'wrapping',
    () => {
      const good = parts();
      const info = /<ds:SignedInfo>.*<\/ds:SignedInfo>/.exec(parts(evil, { key: 'other' }).signature)?.[0] ?? '';
      const mine = assertion(evil);
      return `${mine.before}${good.signature.replace('<ds:SignedInfo>', `${info}<ds:SignedInfo>`)}${mine.after}`;
    },
  ],
  [
    'wrapping: two references',
    'wrapping',
    () => {
      const good = parts();
      const reference = /<ds:Reference .*<\/ds:Reference>/.exec(good.signature)?.[0] ?? '';
      return `${good.before}${good.signature.replace(reference, reference + reference)}${good.after}`;
    },
  ],
  [
    'wrapping: two digests',
    'wrapping',
    () => {
      const good = parts();
      return `${good.before}${good.signature.replace('<ds:DigestValue>', '<ds:DigestValue>AAAA</ds:DigestValue><ds:DigestValue>')}${good.after}`;
    },
  ],

  // Signed by the provider, and still not for us, not now, or not this.
  ['an issuer that is not ours', 'issuer', () => signed({ issuer: 'https://other.example.com' })],
  ['an issuer that begins like ours', 'issuer', () => signed({ issuer: `${provider}.evil.example.com` })],
  ['no issuer', 'issuer', () => signed({ issuer: '' })],
  ['another audience', 'audience', () => signed({ audiences: ['https://elsewhere.example.com'] })],
  ['an audience that begins like ours', 'audience', () => signed({ audiences: [`${audience}.evil.example.com`] })],
  ['no audience', 'audience', () => signed({ conditions: conditions('') })],
  [
    'two restrictions, one of which is for others',
    'audience',
    () =>
      signed({
        conditions: conditions(
          `${restriction}<saml:AudienceRestriction><saml:Audience>x</saml:Audience></saml:AudienceRestriction>`,
        ),
      }),
  ],
  ['no conditions', 'audience', () => signed({ conditions: '' })],
  ['conditions twice', 'conditions', () => signed({ conditions: conditions(restriction) + conditions(restriction) })],
  [
    'a condition nobody knows',
    'conditions',
    () => signed({ conditions: conditions(`${restriction}<saml:Condition></saml:Condition>`) }),
  ],
  ['an end that has passed', 'expiry', () => signed({ notOnOrAfter: -60_000 })],
  ['no end', 'format', () => signed({ notOnOrAfter: null })],
  ['a beginning to come', 'not-before', () => signed({ notBefore: 120_000 })],
  [
    'an end in a year',
    'lifetime',
    () =>
      signed({
        notOnOrAfter: 365 * 86_400_000,
        confirmation: confirmation(`NotOnOrAfter="${fromNow(365 * 86_400_000)}"`),
      }),
  ],
  ['issued in the future', 'issued-at', () => signed({ issuedAt: 3_600_000 })],
  [
    'a session that has ended',
    'expiry',
    () =>
      signed({ statement: `<saml:AuthnStatement SessionNotOnOrAfter="${fromNow(-3_600_000)}"></saml:AuthnStatement>` }),
  ],
  [
    'an end that is no time',
    'format',
    () => signed({ conditions: conditions(restriction, 'NotOnOrAfter="tomorrow"') }),
  ],
  [
    'a beginning that is no time',
    'format',
    () => signed({ conditions: conditions(restriction, `NotBefore="0" NotOnOrAfter="${fromNow(60_000)}"`) }),
  ],
  [
    'an end in another time zone',
    'format',
    () => signed({ conditions: conditions(restriction, 'NotOnOrAfter="2999-01-01T00:00:00+14:00"') }),
  ],
  ['no confirmation of the subject', 'confirmation', () => signed({ confirmation: '' })],
  [
    'a confirmation by holder of key',
    'confirmation',
    () => signed({ confirmation: confirmation(undefined, 'holder-of-key') }),
  ],
  [
    'a confirmation that has expired',
    'confirmation',
    () => signed({ confirmation: confirmation(`NotOnOrAfter="${fromNow(-60_000)}"`) }),
  ],
  ['a confirmation without an end', 'format', () => signed({ confirmation: confirmation('Recipient="x"') })],
  ['no subject', 'claims', () => signed({ subject: '' })],
  [
    'two subjects',
    'claims',
    () => signed({ subject: `<saml:Subject><saml:NameID>a</saml:NameID>${confirmation()}</saml:Subject>`.repeat(2) }),
  ],
  [
    'two names',
    'claims',
    () =>
      signed({
        subject: `<saml:Subject><saml:NameID>a</saml:NameID><saml:NameID>b</saml:NameID>${confirmation()}</saml:Subject>`,
      }),
  ],
  ['an empty name', 'claims', () => signed({ nameId: ' ' })],
  ['an element in the name', 'claims', () => signed({ nameId: '<a>admin</a>' })],
  ['a line end in the name', 'claims', () => signed({ nameId: 'crew\nadmin' })],
  ['a text direction in the name', 'claims', () => signed({ nameId: 'crew\u202eadmin' })],
  ['a very long name', 'claims', () => signed({ nameId: 'x'.repeat(600) })],
  [
    'the groups attribute twice',
    'claims',
    () =>
      signed({
        attributes: statement(
          '<saml:Attribute Name="groups"><saml:AttributeValue>a</saml:AttributeValue></saml:Attribute>'.repeat(2),
        ),
      }),
  ],
  ['the groups attribute in two statements', 'claims', () => signed({ attributes: group('a') + group('dba') })],
  ['a group with an element', 'claims', () => signed({ attributes: group('<a>dba</a>') })],
  ['a group with control characters', 'claims', () => signed({ attributes: group('a\ndba') })],
  ['2,100 groups', 'claims', () => signed({ groups: Array.from({ length: 2100 }, (_, n) => `g${n}`) })],
  ['SAML 1.1', 'format', () => signed({ version: '1.1' })],
  ['an ID that is none', 'signature', () => signed({ id: '1 2' })],
];

test.each(cases)('%s is refused by the check "%s"', async (_, check, make) => {
  const answer = await saml.verify(make());
  expect(answer).toMatchObject({ kind: 'refused', check });
  expect(JSON.stringify(answer)).not.toContain(canary);
});

test('a good assertion passes all the same', async () => {
  expect(await saml.verify(signed())).toMatchObject({ kind: 'verified' });
});

test('any change of a byte of a signed assertion is refused, or changes nothing of what it says', async () => {
  const good = signed();
  const before = await saml.verify(good);
  await fc.assert(
    fc.asyncProperty(
      fc.nat(good.length - 1),
      fc.constantFrom('<', '>', '"', '&', ' ', 'x', '0', '/', '\n'),
      async (where, put) => {
        const answer = await saml.verify(good.slice(0, where) + put + good.slice(where + 1));
        if (answer.kind === 'verified') expect(answer).toEqual(before);
      },
    ),
    { numRuns: 150 },
  );
});

test('any text is refused without an exception', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.base64String()), async (text) => {
      expect((await saml.verify(text)).kind).toBe('refused');
    }),
    { numRuns: 150 },
  );
});
