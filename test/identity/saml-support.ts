// A SAML provider for the tests: assertions written in their canonical form, so that digests are hashes of plain text, and signed or
// spoilt in any way.
import { createHash, createSign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const provider = 'https://idp.example.com/saml';
export const audience = 'https://sallyport.example.com';

export const fixture = (name: string) => fileURLToPath(new URL(`../../fixtures/saml/${name}`, import.meta.url));
const key = (name: string) => readFileSync(fixture(`${name}.key`), 'utf8');
const keys = { idp: key('idp'), other: key('other') };

export const exclusive = 'http://www.w3.org/2001/10/xml-exc-c14n#';
export const enveloped = 'http://www.w3.org/2000/09/xmldsig#enveloped-signature';
const xmldsig = 'http://www.w3.org/2000/09/xmldsig#';
const names = 'urn:oasis:names:tc:SAML:2.0';

let serial = 0;

export interface AssertionOptions {
  readonly id?: string;
  readonly issuer?: string;
  readonly version?: string;
  readonly issuedAt?: number;
  readonly notBefore?: number | null;
  readonly notOnOrAfter?: number | null;
  readonly audiences?: readonly string[];
  /** The whole of the subject, conditions, authentication statement or attribute statement. */
  readonly subject?: string;
  readonly conditions?: string;
  readonly statement?: string;
  readonly attributes?: string;
  readonly nameId?: string;
  readonly confirmation?: string;
  readonly groups?: readonly string[];
}

const minute = 60_000;
export const at = (offset: number) => new Date(Date.now() + offset).toISOString();

export function confirmation(attributes = `NotOnOrAfter="${at(5 * minute)}"`, method = 'bearer'): string {
  return `<saml:SubjectConfirmation Method="${names}:cm:${method}"><saml:SubjectConfirmationData ${attributes}></saml:SubjectConfirmationData></saml:SubjectConfirmation>`;
}

/** An assertion before it is signed, in two parts: the signature goes between them. */
export function assertion(options: AssertionOptions = {}): { id: string; before: string; after: string } {
  serial += 1;
  const id = options.id ?? `_a${serial}-${process.pid}-${Date.now()}`;
  const { notBefore = -minute, notOnOrAfter = 5 * minute } = options;
  const span = [
    notBefore === null ? '' : ` NotBefore="${at(notBefore)}"`,
    notOnOrAfter === null ? '' : ` NotOnOrAfter="${at(notOnOrAfter)}"`,
  ].join('');
  const restriction = (options.audiences ?? [audience]).map((one) => `<saml:Audience>${one}</saml:Audience>`).join('');
  const conditions =
    options.conditions ??
    `<saml:Conditions${span}><saml:AudienceRestriction>${restriction}</saml:AudienceRestriction></saml:Conditions>`;
  const subject =
    options.subject ??
    `<saml:Subject><saml:NameID>${options.nameId ?? 'crew-support-7'}</saml:NameID>${options.confirmation ?? confirmation()}</saml:Subject>`;
  const groups = (options.groups ?? ['crew-support'])
    .map((group) => `<saml:AttributeValue>${group}</saml:AttributeValue>`)
    .join('');
  const attributes =
    options.attributes ??
    `<saml:AttributeStatement><saml:Attribute Name="groups">${groups}</saml:Attribute></saml:AttributeStatement>`;
  return {
    id,
    before: `<saml:Assertion xmlns:saml="${names}:assertion" ID="${id}" IssueInstant="${at(options.issuedAt ?? -1000)}" Version="${options.version ?? '2.0'}"><saml:Issuer>${options.issuer ?? provider}</saml:Issuer>`,
    after: `${subject}${conditions}${options.statement ?? ''}${attributes}</saml:Assertion>`,
  };
}

export interface SignOptions {
  readonly key?: 'idp' | 'other';
  readonly signature?: string;
  readonly digest?: string;
  readonly transforms?: readonly string[];
  readonly reference?: string;
  readonly keyInfo?: string;
}

const hashes: Readonly<Record<string, string>> = {
  'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256': 'sha256',
  'http://www.w3.org/2001/04/xmldsig-more#rsa-sha512': 'sha512',
  'http://www.w3.org/2000/09/xmldsig#rsa-sha1': 'sha1',
  'http://www.w3.org/2001/04/xmlenc#sha256': 'sha256',
  'http://www.w3.org/2001/04/xmlenc#sha512': 'sha512',
  'http://www.w3.org/2000/09/xmldsig#sha1': 'sha1',
};

/** The Signature element over canonical `xml` with this ID. */
export function signatureOf(id: string, xml: string, options: SignOptions = {}): string {
  const method = options.signature ?? 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256';
  const digest = options.digest ?? 'http://www.w3.org/2001/04/xmlenc#sha256';
  const value = createHash(hashes[digest] ?? 'sha256')
    .update(xml)
    .digest('base64');
  const transforms = (options.transforms ?? [enveloped, exclusive])
    .map((one) => `<ds:Transform Algorithm="${one}"></ds:Transform>`)
    .join('');
  const inner =
    `<ds:CanonicalizationMethod Algorithm="${exclusive}"></ds:CanonicalizationMethod>` +
    `<ds:SignatureMethod Algorithm="${method}"></ds:SignatureMethod>` +
    `<ds:Reference URI="${options.reference ?? `#${id}`}"><ds:Transforms>${transforms}</ds:Transforms>` +
    `<ds:DigestMethod Algorithm="${digest}"></ds:DigestMethod><ds:DigestValue>${value}</ds:DigestValue></ds:Reference>`;
  const signed = createSign(hashes[method] ?? 'sha256')
    .update(`<ds:SignedInfo xmlns:ds="${xmldsig}">${inner}</ds:SignedInfo>`)
    .sign(keys[options.key ?? 'idp'], 'base64');
  return `<ds:Signature xmlns:ds="${xmldsig}"><ds:SignedInfo>${inner}</ds:SignedInfo><ds:SignatureValue>${signed}</ds:SignatureValue>${options.keyInfo ?? ''}</ds:Signature>`;
}

/** A signed assertion as XML. */
export function signedAssertion(options: AssertionOptions = {}, sign: SignOptions = {}): string {
  const { id, before, after } = assertion(options);
  return `${before}${signatureOf(id, before + after, sign)}${after}`;
}

/** A response around assertions. */
export function response(...contents: readonly string[]): string {
  serial += 1;
  return `<samlp:Response xmlns:samlp="${names}:protocol" ID="_r${serial}" Version="2.0"><samlp:Status><samlp:StatusCode Value="${names}:status:Success"></samlp:StatusCode></samlp:Status>${contents.join('')}</samlp:Response>`;
}

/** The X.509 certificate of a key as KeyInfo. */
export function keyInfo(name: 'idp' | 'other'): string {
  const body = readFileSync(fixture(`${name}.pem`), 'utf8').replace(/-----[A-Z ]+-----|\s/g, '');
  return `<ds:KeyInfo><ds:X509Data><ds:X509Certificate>${body}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>`;
}

export const base64 = (xml: string) => Buffer.from(xml).toString('base64');
