// The hash that a certificate's signature uses, read from its DER: channel binding needs it and node:crypto does not tell it.

const byOid = new Map([
  ['1.2.840.113549.1.1.4', 'md5'],
  ['1.2.840.113549.1.1.5', 'sha1'],
  ['1.2.840.113549.1.1.11', 'sha256'],
  ['1.2.840.113549.1.1.12', 'sha384'],
  ['1.2.840.113549.1.1.13', 'sha512'],
  ['1.2.840.113549.1.1.14', 'sha224'],
  ['1.2.840.10045.4.1', 'sha1'],
  ['1.2.840.10045.4.3.1', 'sha224'],
  ['1.2.840.10045.4.3.2', 'sha256'],
  ['1.2.840.10045.4.3.3', 'sha384'],
  ['1.2.840.10045.4.3.4', 'sha512'],
]);

interface Element {
  readonly tag: number;
  readonly start: number;
  readonly end: number;
}

/** One DER element at `at`, or undefined where there is none. */
function element(bytes: Buffer, at: number): Element | undefined {
  const tag = bytes[at];
  let length = bytes[at + 1];
  if (tag === undefined || length === undefined) return undefined;
  let start = at + 2;
  if (length >= 0x80) {
    const count = length & 0x7f;
    if (count === 0 || count > 4 || start + count > bytes.length) return undefined;
    length = bytes.readUIntBE(start, count);
    start += count;
  }
  return start + length > bytes.length ? undefined : { tag, start, end: start + length };
}

function objectIdentifier(bytes: Buffer): string {
  const parts: number[] = [];
  let value = 0;
  for (const byte of bytes) {
    value = value * 128 + (byte & 0x7f);
    if (byte & 0x80) continue;
    if (parts.length === 0) {
      const first = Math.min(2, Math.floor(value / 40));
      parts.push(first, value - first * 40);
    } else parts.push(value);
    value = 0;
  }
  return parts.join('.');
}

/** Name of the hash as node:crypto knows it. Undefined for signatures without one (Ed25519) or with parameters (RSA-PSS). */
export function signatureHash(certificate: Buffer): string | undefined {
  // Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm SEQUENCE { algorithm OBJECT IDENTIFIER, ... }, ... }
  const outer = element(certificate, 0);
  const tbs = outer && element(certificate, outer.start);
  const algorithm = tbs && element(certificate, tbs.end);
  const oid = algorithm && element(certificate, algorithm.start);
  if (oid === undefined || oid.tag !== 6) return undefined;
  return byOid.get(objectIdentifier(certificate.subarray(oid.start, oid.end)));
}
