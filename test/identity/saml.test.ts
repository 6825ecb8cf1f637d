// SAML assertions that are good: what they say of an identity, in which forms they come, and keys that change.
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createSamlVerifier, type SamlVerifier } from '../../src/identity/index.ts';
import {
  audience,
  base64,
  confirmation,
  fixture,
  at as fromNow,
  keyInfo,
  provider,
  response,
  signatureOf,
  signedAssertion,
} from './saml-support.ts';

const config = {
  issuer: provider,
  audience,
  certificate: fixture('idp.pem'),
  groupsAttribute: 'groups',
  recipient: undefined,
};
const saml = createSamlVerifier(config);

describe('a signed assertion', () => {
  test('says who a machine is, in which groups, and until when', async () => {
    const answer = await saml.verify(signedAssertion({ id: '_one', groups: ['crew-support', 'tier-2'] }));
    expect(answer).toMatchObject({
      kind: 'verified',
      identity: {
        issuer: provider,
        subject: 'crew-support-7',
        name: 'crew-support-7',
        groups: ['crew-support', 'tier-2'],
        tokenId: '_one',
        actors: [],
      },
      assertion: { id: '_one' },
    });
    if (answer.kind !== 'verified') return;
    const seconds = answer.identity.expiresAt - Date.now() / 1000;
    expect(seconds).toBeGreaterThan(290);
    expect(seconds).toBeLessThanOrEqual(300);
    expect(answer.assertion.usableUntil - Date.now()).toBeGreaterThan(330_000);
  });

  test.each([
    ['XML', (xml: string) => xml],
    ['XML with a declaration', (xml: string) => `<?xml version="1.0" encoding="UTF-8"?>\n${xml}\n`],
    ['base64', base64],
    ['base64url', (xml: string) => Buffer.from(xml).toString('base64url')],
    ['base64 in lines', (xml: string) => base64(xml).replace(/.{76}/g, '$&\r\n')],
    ['a response', (xml: string) => base64(response(xml))],
  ])('comes as %s', async (_, form) => {
    expect(await saml.verify(form(signedAssertion()))).toMatchObject({ kind: 'verified' });
  });

  test.each(['http://www.w3.org/2001/04/xmldsig-more#rsa-sha256', 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha512'])(
    'is signed with %s',
    async (signature) => {
      expect(await saml.verify(signedAssertion({}, { signature }))).toMatchObject({ kind: 'verified' });
    },
  );

  test('may carry the certificate it is signed with', async () => {
    expect(await saml.verify(signedAssertion({}, { keyInfo: keyInfo('idp') }))).toMatchObject({ kind: 'verified' });
  });

  test('stands in a response that is signed too', async () => {
    const whole = response(signedAssertion());
    const id = /ID="(_r\d+)"/.exec(whole)?.[1] ?? '';
    const signed = whole.replace('<samlp:Status>', `${signatureOf(id, whole)}<samlp:Status>`);
    expect(await saml.verify(base64(signed))).toMatchObject({ kind: 'verified' });
  });

  test('may name several audiences, and set one-time use', async () => {
    expect(
      await saml.verify(signedAssertion({ audiences: ['https://elsewhere.example.com', audience] })),
    ).toMatchObject({
      kind: 'verified',
    });
    const conditions = `<saml:Conditions NotOnOrAfter="${fromNow(60_000)}"><saml:AudienceRestriction><saml:Audience>${audience}</saml:Audience></saml:AudienceRestriction><saml:OneTimeUse></saml:OneTimeUse></saml:Conditions>`;
    expect(await saml.verify(signedAssertion({ conditions }))).toMatchObject({ kind: 'verified' });
  });

  test('passes within the clock skew', async () => {
    expect(await saml.verify(signedAssertion({ notBefore: 20_000, issuedAt: 20_000 }))).toMatchObject({
      kind: 'verified',
    });
    const late = signedAssertion({
      notOnOrAfter: -20_000,
      confirmation: confirmation(`NotOnOrAfter="${fromNow(-20_000)}"`),
    });
    expect(await saml.verify(late)).toMatchObject({ kind: 'verified' });
  });

  test('gives an identity that ends with the session at the provider', async () => {
    const statement = `<saml:AuthnStatement AuthnInstant="${fromNow(-1000)}" SessionNotOnOrAfter="${fromNow(3_600_000)}"></saml:AuthnStatement>`;
    const answer = await saml.verify(signedAssertion({ statement }));
    expect(answer.kind === 'verified' && answer.identity.expiresAt - Date.now() / 1000).toBeGreaterThan(3590);
  });

  test('without groups is of no group; of several attributes the named one counts', async () => {
    expect(await saml.verify(signedAssertion({ attributes: '' }))).toMatchObject({ identity: { groups: [] } });
    const attributes = `<saml:AttributeStatement><saml:Attribute Name="mail"><saml:AttributeValue>a@example.com</saml:AttributeValue></saml:Attribute><saml:Attribute Name="groups"><saml:AttributeValue>dba</saml:AttributeValue></saml:Attribute></saml:AttributeStatement>`;
    expect(await saml.verify(signedAssertion({ attributes }))).toMatchObject({ identity: { groups: ['dba'] } });
  });

  test('names the recipient where the file asks for it', async () => {
    const strict = createSamlVerifier({ ...config, recipient: 'https://sallyport.example.com/oauth2/token' });
    const named = confirmation(
      `NotOnOrAfter="${fromNow(60_000)}" Recipient="https://sallyport.example.com/oauth2/token"`,
    );
    expect(await strict.verify(signedAssertion({ confirmation: named }))).toMatchObject({ kind: 'verified' });
    expect(await strict.verify(signedAssertion())).toMatchObject({ kind: 'refused', check: 'confirmation' });
  });
});

describe("the provider's certificate", () => {
  let folder = '';
  let certificate = '';
  let verifier: SamlVerifier;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sallyport-saml-'));
    certificate = join(folder, 'idp.pem');
    verifier = createSamlVerifier({ ...config, certificate });
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  test('is read when it is needed, and again when it changes', async () => {
    expect(await verifier.verify(signedAssertion())).toMatchObject({ kind: 'refused', check: 'keys-unavailable' });
    await copyFile(fixture('other.pem'), certificate);
    expect(await verifier.verify(signedAssertion())).toMatchObject({ kind: 'refused', check: 'signature' });
    // Both, while the provider changes its key.
    const both = `${await readFile(fixture('other.pem'), 'utf8')}${await readFile(fixture('idp.pem'), 'utf8')}`;
    await writeFile(certificate, both);
    expect(await verifier.verify(signedAssertion())).toMatchObject({ kind: 'verified' });
    expect(await verifier.verify(signedAssertion({}, { key: 'other' }))).toMatchObject({ kind: 'verified' });
    await copyFile(fixture('idp.pem'), certificate);
    expect(await verifier.verify(signedAssertion({}, { key: 'other' }))).toMatchObject({ check: 'signature' });
  });

  test('that is none is said to be none', async () => {
    await writeFile(certificate, 'nothing');
    expect(await verifier.verify(signedAssertion())).toMatchObject({ kind: 'refused', check: 'keys-unavailable' });
  });
});
