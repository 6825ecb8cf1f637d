// The tag stands last, says who, and cannot be broken out of.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RecordId, SessionId } from '../../protocols/gate.ts';
import { imitatesTag, tagged, tagStem } from '../../src/gateway/tag.ts';

const record = 'r1' as RecordId;
const session = 's1' as SessionId;

describe('the tag', () => {
  const stem = tagStem('crew-support-7', 'https://idp.example.com', session);

  test('is appended in the sqlcommenter form with sorted keys and encoded values', () => {
    expect(tagged('select 1', stem, record)).toBe(
      "select 1 /*identity='crew-support-7',issuer='https%3A%2F%2Fidp.example.com',record='r1',session='s1'*/",
    );
  });

  test('stands on a line of its own behind a text that may end in a line comment', () => {
    expect(tagged('select 1 -- the end', stem, record)).toContain("-- the end\n/*identity='");
  });

  test("repeats the client's own traceparent", () => {
    const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    expect(tagged(`select 1 /*traceparent='${trace}'*/`, stem, record)).toMatch(
      new RegExp(`session='s1',traceparent='${trace}'\\*/$`),
    );
  });

  test('holds neither a comment end nor a quote of the identity, whatever the identity is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (identity, issuer) => {
        const comment = tagged('', tagStem(identity, issuer, session), record).trimStart();
        expect(comment.match(/\*\//g)).toHaveLength(1);
        expect(comment.match(/\/\*/g)).toHaveLength(1);
        expect(comment.match(/'/g)).toHaveLength(8);
      }),
    );
  });

  test('an imitation in the text is noticed', () => {
    expect(imitatesTag("select 1 /*identity='root',issuer='x'*/")).toBe(true);
    expect(imitatesTag("select 1 -- Record = 'r7'")).toBe(true);
    expect(imitatesTag("select 1 /* issuer='x' */ + /* and more */ 2")).toBe(true);
    expect(imitatesTag('select 1 /* plain */')).toBe(false);
    expect(imitatesTag("select * from logins /* of a day */ where session='a' and identity='b'")).toBe(false);
  });
});
