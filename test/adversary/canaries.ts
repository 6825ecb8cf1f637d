// The values that must not leave: two sets of them for the same tables, and every form in which one could be told.
import { createHash } from 'node:crypto';

/** Each value of the first world with the one that stands in its place in the second. */
const pairs: readonly (readonly [string, string])[] = [
  ['912-84-7731', '247-05-1186'],
  ['934-17-2268', '158-93-66'],
  ['957-60-4419', '303-41-2797'],
  ['4929-7716-0342-8851', '6011-2290-4418-7'],
  ['5312-9084-7763-1120', '2720-9921-6630-5518'],
  ['3782-8224-6310-0057', '8171-3009-2265-4471'],
  ['1961-03-17', '2003-12-24'],
  ['1974-11-02', '1952-06-05'],
  ['1988-07-29', '1940-09-13'],
  ['87412', '23961'],
  ['65239', '912377'],
  ['51876', '40218'],
  ['QX81-PLUM-5520', 'ZB17-OAT-3'],
  ['QX82-FIGS-7741', 'ZB16-HERBS-9902'],
  ['QX83-KIWI-9063', 'ZB15-RYE-4411'],
  ['zq7canary.ada', 'kestrel88.umb'],
  ['zq7canary.bo', 'kestrel88.tr'],
  ['zq7canary.cy', 'kestrel88.longer'],
  ['hush.example', 'veil.example'],
  ['GLYPH-TANGENT-4471', 'MARROW-9915'],
  ['UMBRA-COPPER-9920', 'PYLON-VECTOR-BRISK-2286'],
  ['NO93-8601-1117-947', 'NO17-5544-9902-113'],
  ['NO55-0539-7712-304', 'NO81-2277-6640-559'],
  ['971-33-8084', '620-71-5598'],
  ['988-52-1937', '445-19-3306'],
];

/** A text of the first world as the second has it. */
export function otherWorld(text: string): string {
  return pairs.reduce((changed, [one, other]) => changed.replaceAll(one, other), text);
}

const shared = new Set(['hush.example', 'veil.example']);
const secrets = pairs.flat().filter((secret) => !shared.has(secret));
const isDate = /^\d{4}-\d\d-\d\d$/;

/** Every piece of `length` characters, or the whole where it is shorter. */
function windows(text: string, length: number): string[] {
  if (text.length <= length) return [text];
  return Array.from({ length: text.length - length + 1 }, (_, at) => text.slice(at, at + length));
}

const digits = ['md5', 'sha1', 'sha224', 'sha256', 'sha384', 'sha512'] as const;

function formsOf(secret: string): string[] {
  const reversed = [...secret].reverse().join('');
  // Five characters of a date stand in many dates; backwards, five digits with dashes do.
  const plain = [
    ...[secret, secret.toUpperCase()].flatMap((form) => windows(form, isDate.test(secret) ? 8 : 5)),
    ...[reversed, secret.replaceAll('-', '')].flatMap((form) => windows(form, 7)),
  ];
  const bytes = Buffer.from(secret);
  const encoded = [0, 1, 2].flatMap((lead) => {
    const text = Buffer.concat([Buffer.alloc(lead), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    // The characters that also hold bits of what stands before or after say nothing certain.
    return windows(text.slice(lead === 0 ? 0 : lead + 1, -1), 7);
  });
  const hex = bytes.toString('hex');
  const hashed = digits.flatMap((algorithm) => {
    const hash = createHash(algorithm).update(secret).digest();
    return [...windows(hash.toString('hex'), 10), ...windows(hash.toString('base64'), 10)];
  });
  return [...plain, ...windows(hex, 10), ...windows(hex.toUpperCase(), 10), ...encoded, ...hashed];
}

/** Binary forms on the wire: int4 and int8 of numbers, days since 2000 of dates. */
function binaryForms(secret: string): string[] {
  if (isDate.test(secret)) {
    const days = Buffer.alloc(4);
    days.writeInt32BE(Math.round((Date.parse(`${secret}T00:00:00Z`) - Date.UTC(2000, 0, 1)) / 86_400_000));
    return [`\0\0\0\x04${days.toString('latin1')}`];
  }
  if (!/^\d+$/.test(secret)) return [];
  const number = Buffer.alloc(4);
  number.writeInt32BE(Number(secret));
  return [`\0\0\0\x04${number.toString('latin1')}`, `\0\0\0\x08\0\0\0\0${number.toString('latin1')}`];
}

const byLength = new Map<number, Map<string, string>>();
for (const secret of secrets) {
  for (const form of [...formsOf(secret), ...binaryForms(secret)]) {
    let forms = byLength.get(form.length);
    if (forms === undefined) {
      forms = new Map();
      byLength.set(form.length, forms);
    }
    forms.set(form, secret);
  }
}

/**
 * The secret of which a piece, an encoding or a hash stands in the text, with the piece. Where any number may stand by chance, pieces must
 * be of `least` characters.
 */
export function leakIn(text: string, least = 0): string | undefined {
  for (const [length, forms] of byLength) {
    if (length < least) continue;
    for (let at = 0; at + length <= text.length; at++) {
      const piece = text.slice(at, at + length);
      const secret = forms.get(piece);
      if (secret !== undefined) return `${JSON.stringify(piece)} of ${secret}`;
    }
  }
  return undefined;
}
