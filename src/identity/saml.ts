// SAML 2.0 assertions as proof of identity (RFC 7522): signed by the provider of the file, for this gateway, now, by its bearer.
// @node-saml verifies the signature and gives what was signed; all else is read from that and from nothing else.
import { readFile, stat } from 'node:fs/promises';
import type { SAML } from '@node-saml/node-saml';
import type { SamlConfig } from '../config/types.ts';
import { nameText } from './claims.ts';
import { type Check, IdentityError, TokenRefused } from './errors.ts';
import { readMarkup } from './saml-markup.ts';
import { type Element, elements, moment, only, text } from './saml-read.ts';
import type { Identity } from './types.ts';

export type AssertionVerification =
  | {
      readonly kind: 'verified';
      readonly identity: Identity;
      readonly assertion: { readonly id: string; readonly usableUntil: number };
    }
  | { readonly kind: 'refused'; readonly check: Check; readonly message: string };

export interface SamlVerifier {
  /** The provider's entity id. */
  readonly issuer: string;
  /**
   * Verifies an assertion given as XML or base64. Never rejects. That it is used once only is for the caller to see to: its id
   * must be remembered until `usableUntil` (ms since the epoch).
   */
  verify(given: string): Promise<AssertionVerification>;
}

const clockSkewMs = 30_000;
const longestLifetimeMs = 24 * 60 * 60_000;
const mostGroups = 2000;
const bearer = 'urn:oasis:names:tc:SAML:2.0:cm:bearer';
const conditionsKnown = new Set(['AudienceRestriction', 'OneTimeUse', 'ProxyRestriction', '$', '_']);

/** Makes the verifier of the file's provider. Its certificate is read when it is needed, and again when the file changes. */
export function createSamlVerifier(config: SamlConfig): SamlVerifier {
  let held: { readonly stamp: string; readonly saml: SAML } | undefined;
  const current = async (): Promise<SAML> => {
    const stamp = await stampOf(config.certificate);
    if (held?.stamp !== stamp) held = { stamp, saml: await samlOf(config) };
    return held.saml;
  };
  return {
    issuer: config.issuer,
    async verify(given) {
      try {
        const { xml, root } = readMarkup(given);
        return verified(await signedPart(await current(), xml, root), config, Date.now());
      } catch (cause) {
        const { check, message } = refusalOf(cause);
        return { kind: 'refused', check, message };
      }
    },
  };
}

async function stampOf(path: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(path);
    return `${mtimeMs} ${size} ${ino}`;
  } catch {
    throw keysUnavailable('its certificate cannot be read');
  }
}

async function samlOf(config: SamlConfig): Promise<SAML> {
  // The library brings several XML parsers; only who needs it loads it.
  const { SAML } = await import('@node-saml/node-saml');
  const certificates = (await readFile(config.certificate, 'utf8').catch(() => '')).match(
    /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g,
  );
  if (certificates === null) throw keysUnavailable('its certificate file holds no certificate (PEM)');
  return new SAML({
    // Several stand in the file while the provider changes its key.
    idpCert: certificates.map((certificate) => certificate.replace(/\r/g, '')),
    idpIssuer: config.issuer,
    issuer: config.audience,
    audience: config.audience,
    // Asked for by the library; we send no one there.
    callbackUrl: 'https://sallyport.invalid/',
    wantAssertionsSigned: true,
    wantAuthnResponseSigned: false,
    acceptedClockSkewMs: clockSkewMs,
  });
}

function keysUnavailable(why: string): TokenRefused {
  return new TokenRefused('keys-unavailable', `the keys of the SAML provider are not available: ${why}`);
}

/** The assertion as the provider signed it. */
async function signedPart(saml: SAML, xml: string, root: 'Assertion' | 'Response'): Promise<Element> {
  // The library reads responses. The prefix is one that no assertion uses, so that nothing signed changes by it.
  const response =
    root === 'Response'
      ? xml
      : `<sallyport-w:Response xmlns:sallyport-w="urn:oasis:names:tc:SAML:2.0:protocol">${xml}</sallyport-w:Response>`;
  const { profile } = await saml.validatePostResponseAsync({
    SAMLResponse: Buffer.from(response).toString('base64'),
  });
  const assertion = only(profile?.getAssertion?.(), 'Assertion');
  if (assertion === undefined) throw new TokenRefused('format', 'the assertion cannot be read');
  return assertion;
}

function verified(assertion: Element, config: SamlConfig, now: number): AssertionVerification {
  if (assertion.$?.Version !== '2.0') throw new TokenRefused('format', 'the assertion is not of SAML 2.0');
  const id = assertion.$?.ID ?? '';
  if (!/^[A-Za-z_][\w.-]{0,255}$/.test(id)) throw new TokenRefused('format', 'the assertion has no usable ID');
  const issuers = elements(assertion, 'Issuer');
  if (issuers.length !== 1 || text(issuers[0]) !== config.issuer)
    throw new TokenRefused('issuer', 'the issuer of the assertion is not trusted here');
  const subject = only(assertion, 'Subject');
  const nameId = only(subject, 'NameID');
  const subjectText = text(nameId);
  if (subject === undefined || subjectText === undefined)
    throw new TokenRefused('claims', 'the assertion does not say who it is for (one NameID in one Subject)');
  const usableUntil = Math.min(checkConditions(assertion, config, now), checkConfirmation(subject, config, now));
  checkIssued(assertion, usableUntil, now);
  const name = nameText(subjectText, 'subject');
  const identity: Identity = Object.freeze({
    issuer: config.issuer,
    subject: name,
    name,
    groups: Object.freeze(groupsOf(assertion, config.groupsAttribute)),
    // With the session at the provider where the assertion names its end, else with the assertion.
    expiresAt: Math.floor((sessionEnd(assertion, now) ?? usableUntil) / 1000),
    tokenId: id,
    actors: Object.freeze([]),
  });
  // The clock skew is granted, so a used assertion is remembered beyond its end.
  return { kind: 'verified', identity, assertion: { id, usableUntil: usableUntil + 2 * clockSkewMs } };
}

/** SAML core, 2.5.1: all conditions must hold, and one that is not understood does not. Gives the end of validity. */
function checkConditions(assertion: Element, config: SamlConfig, now: number): number {
  const conditions = only(assertion, 'Conditions');
  if (conditions === undefined) throw new TokenRefused('conditions', 'the assertion has no conditions, or several');
  if (Object.keys(conditions).some((name) => !conditionsKnown.has(name)))
    throw new TokenRefused('conditions', 'the assertion has a condition that is not understood');
  const restrictions = elements(conditions, 'AudienceRestriction');
  const forUs = (restriction: Element) =>
    elements(restriction, 'Audience').some((audience) => text(audience) === config.audience);
  if (restrictions.length === 0 || !restrictions.every(forUs))
    throw new TokenRefused('audience', 'the assertion is for another audience');
  return checkSpan(conditions, 'the assertion', now);
}

/** RFC 7522, section 3, 5: whoever bears it may use it, here and now. Gives the end of that. */
function checkConfirmation(subject: Element, config: SamlConfig, now: number): number {
  const ends = elements(subject, 'SubjectConfirmation').flatMap((confirmation) => {
    const data = only(confirmation, 'SubjectConfirmationData');
    if (confirmation.$?.Method !== bearer || data === undefined) return [];
    if (config.recipient !== undefined && data.$?.Recipient !== config.recipient) return [];
    try {
      return [checkSpan(data, 'the confirmation of the subject', now)];
    } catch {
      return [];
    }
  });
  if (ends.length === 0)
    throw new TokenRefused('confirmation', 'no confirmation of the subject lets its bearer use the assertion here now');
  return Math.max(...ends);
}

function checkSpan(element: Element, what: string, now: number): number {
  const begin = moment(element.$?.NotBefore);
  const end = moment(element.$?.NotOnOrAfter);
  if (end === undefined) throw new TokenRefused('expiry', `${what} says no time at which it ends`);
  if (begin !== undefined && now + clockSkewMs < begin)
    throw new TokenRefused('not-before', `${what} is not valid yet`);
  if (now - clockSkewMs >= end) throw new TokenRefused('expiry', `${what} has expired`);
  return end;
}

function sessionEnd(assertion: Element, now: number): number | undefined {
  const ends = elements(assertion, 'AuthnStatement').flatMap(({ $ }) => moment($?.SessionNotOnOrAfter) ?? []);
  if (ends.some((end) => now - clockSkewMs >= end))
    throw new TokenRefused('expiry', 'the session of the assertion has ended');
  return ends.length === 0 ? undefined : Math.min(...ends);
}

function checkIssued(assertion: Element, usableUntil: number, now: number): void {
  const issued = moment(assertion.$?.IssueInstant);
  if (issued === undefined || issued > now + clockSkewMs)
    throw new TokenRefused('issued-at', 'the assertion does not say properly when it was issued');
  if (usableUntil - now > longestLifetimeMs + clockSkewMs)
    throw new TokenRefused('lifetime', 'the assertion stays valid for longer than this gateway accepts');
}

function groupsOf(assertion: Element, attribute: string): string[] {
  const attributes = elements(assertion, 'AttributeStatement')
    .flatMap((statement) => elements(statement, 'Attribute'))
    .filter(({ $ }) => $?.Name === attribute);
  if (attributes.length > 1) throw new TokenRefused('claims', 'the assertion gives the groups attribute twice');
  const values = attributes.flatMap((one) => elements(one, 'AttributeValue'));
  if (values.length > mostGroups)
    throw new TokenRefused('claims', `the assertion names more than ${mostGroups} groups`);
  const groups = values.map((value) => {
    const group = text(value);
    if (group === undefined) throw new TokenRefused('claims', 'a group of the assertion is not a text');
    return nameText(group, 'group');
  });
  return [...new Set(groups)];
}

/** The library says what is wrong in words only. */
function refusalOf(cause: unknown): { readonly check: Check; readonly message: string } {
  if (cause instanceof TokenRefused) return cause;
  if (cause instanceof IdentityError) return { check: 'format', message: cause.message };
  const words = cause instanceof Error ? cause.message : '';
  if (/expired/i.test(words)) return { check: 'expiry', message: 'the assertion has expired' };
  if (/not yet valid/i.test(words)) return { check: 'not-before', message: 'the assertion is not valid yet' };
  if (/audience/i.test(words)) return { check: 'audience', message: 'the assertion is for another audience' };
  if (/multiple conditions/i.test(words))
    return { check: 'conditions', message: 'the assertion has several conditions' };
  if (/not a valid date/i.test(words))
    return { check: 'format', message: 'the assertion lacks a time at which it ends, or holds one that is none' };
  if (/signature|transform|reference|ID cannot refer/i.test(words))
    return { check: 'signature', message: 'the signature of the assertion is wrong' };
  return { check: 'format', message: 'the assertion cannot be read' };
}
