// The outside of a SAML assertion, before any trust: strict XML with nothing in it that two parsers could read differently.
// Nothing here verifies; what passes goes to the library that does.
import { TokenRefused } from './errors.ts';

export const longestAssertion = 128 * 1024;
const mostElements = 4000;
const deepest = 32;

export interface Markup {
  /** Without byte order mark and XML declaration. */
  readonly xml: string;
  /** Local name of the root element. */
  readonly root: 'Assertion' | 'Response';
}

/** exclusive canonicalization, the enveloped signature, and signatures and digests that still hold. */
const algorithms = new Set([
  'http://www.w3.org/2001/10/xml-exc-c14n#',
  'http://www.w3.org/2000/09/xmldsig#enveloped-signature',
  'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
  'http://www.w3.org/2001/04/xmldsig-more#rsa-sha512',
  'http://www.w3.org/2001/04/xmlenc#sha256',
  'http://www.w3.org/2001/04/xmlenc#sha512',
]);

/** Decodes an assertion given as XML, base64 or base64url (RFC 7522, 2.1) and refuses what no provider would send. */
export function readMarkup(given: string): Markup {
  const xml = decode(given)
    .replace(/^\ufeff/, '')
    .replace(/^<\?xml[ \t\r\n][^<>]*\?>\s*/, (declaration) => {
      const encoding = /encoding\s*=\s*["']([^"']*)["']/.exec(declaration)?.[1] ?? 'utf-8';
      if (!/^utf-?8$/i.test(encoding)) throw markup('is in another encoding than UTF-8');
      return '';
    })
    .trim();
  if (xml.includes('<!')) throw markup('holds a document type, a comment or a CDATA section');
  if (xml.includes('<?')) throw markup('holds a processing instruction');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: XML 1.0 forbids just these (section 2.2).
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(xml) || !xml.isWellFormed())
    throw markup('holds characters that XML forbids');
  if (/&(?!(?:lt|gt|amp|quot|apos|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});)/.test(xml))
    throw markup('holds an entity of its own');
  return { xml, root: checkElements(xml) };
}

function markup(what: string): TokenRefused {
  return new TokenRefused('markup', `the assertion ${what}`);
}

function decode(given: string): string {
  if (given.length > longestAssertion * 2) throw tooLong();
  const text = given.trim();
  let bytes: Buffer;
  if (text.startsWith('<') || text.startsWith('\ufeff')) bytes = Buffer.from(text);
  else {
    const compact = text.replace(/[\r\n]+/g, '');
    if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(compact))
      throw new TokenRefused('format', 'the assertion is neither XML nor base64');
    bytes = Buffer.from(compact, 'base64');
  }
  if (bytes.length > longestAssertion) throw tooLong();
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new TokenRefused('format', 'the assertion is not UTF-8');
  }
}

function tooLong(): TokenRefused {
  return new TokenRefused('size', `the assertion is longer than ${longestAssertion} bytes`);
}

const qualified = '[A-Za-z_][\\w.-]*(?::[A-Za-z_][\\w.-]*)?';
const attributeForm = `\\s+(${qualified})\\s*=\\s*("[^"<]*"|'[^'<]*')`;
const tag = new RegExp(`<(/?)(${qualified})((?:${attributeForm})*)\\s*(/?)>`, 'y');
const attribute = new RegExp(attributeForm, 'g');

/** Walks the tags. No comment, CDATA section or instruction is left that could hide one. Gives the root's local name. */
function checkElements(xml: string): Markup['root'] {
  const open: string[] = [];
  const counts = new Map<string, number>();
  const ids = new Set<string>();
  let root: string | undefined;
  let elements = 0;
  let at = 0;
  while (at < xml.length) {
    const next = xml.indexOf('<', at);
    if (next !== at && open.length === 0) throw markup('is no single XML element');
    if (next < 0) break;
    tag.lastIndex = next;
    const found = tag.exec(xml);
    if (found === null) throw markup('is not well-formed XML');
    at = tag.lastIndex;
    const [, closes, name = '', attributes = '', , , empty] = found;
    if (closes === '/') {
      if (open.pop() !== name || attributes !== '' || empty === '/') throw markup('is not well-formed XML');
      continue;
    }
    elements += 1;
    if (elements > mostElements) throw markup(`has more than ${mostElements} elements`);
    if (open.length === 0 && root !== undefined) throw markup('is no single XML element');
    const local = name.slice(name.indexOf(':') + 1);
    root ??= local;
    counts.set(local, (counts.get(local) ?? 0) + 1);
    checkAttributes(local, attributes, ids);
    if (empty !== '/') open.push(name);
    if (open.length > deepest) throw markup(`nests deeper than ${deepest} elements`);
  }
  if (open.length > 0) throw markup('is not well-formed XML');
  return checkCounts(root, (name) => counts.get(name) ?? 0);
}

function checkAttributes(element: string, text: string, ids: Set<string>): void {
  const seen = new Set<string>();
  for (const [, name = '', quoted = ''] of text.matchAll(attribute)) {
    if (seen.has(name)) throw markup('gives an attribute twice');
    seen.add(name);
    const value = quoted.slice(1, -1);
    const local = name.slice(name.indexOf(':') + 1);
    // Where two elements share an ID, the one that is verified need not be the one that is read.
    if (/^id$/i.test(local)) {
      if (ids.has(value)) throw new TokenRefused('wrapping', 'an ID of the assertion stands for two elements');
      ids.add(value);
    }
    if (element === 'Reference' && local === 'URI' && !/^#[A-Za-z_][\w.-]*$/.test(value))
      throw new TokenRefused('signature', 'the signature refers to something else than an element of the assertion');
    if (local === 'Algorithm' && !algorithms.has(value))
      throw new TokenRefused('algorithm', 'the assertion is signed with an algorithm that is not accepted');
  }
}

/** Signature wrapping needs a second assertion, or a second or strange signature: there is one of each, and nothing besides. */
function checkCounts(root: string | undefined, count: (name: string) => number): Markup['root'] {
  if (root !== 'Assertion' && root !== 'Response') throw markup('is neither a SAML Assertion nor a Response');
  if (count('EncryptedAssertion') + count('EncryptedID') + count('EncryptedAttribute') > 0)
    throw new TokenRefused('format', 'the assertion is encrypted; a signed one is expected');
  if (count('Assertion') !== 1) throw new TokenRefused('wrapping', 'there is not exactly one assertion');
  const signatures = count('Signature');
  if (signatures === 0) throw new TokenRefused('signature', 'the assertion is not signed');
  // A response may be signed besides its assertion.
  if (signatures > (root === 'Response' ? 2 : 1) || (root === 'Response' && count('Response') !== 1))
    throw new TokenRefused('wrapping', 'there is more than one signature');
  for (const part of ['SignedInfo', 'Reference', 'SignatureValue', 'DigestValue', 'SignatureMethod', 'DigestMethod'])
    if (count(part) !== signatures) throw new TokenRefused('wrapping', 'the signature is not of the usual form');
  if (count('Object') + count('Manifest') > 0)
    throw new TokenRefused('wrapping', 'the signature carries other contents');
  return root;
}
