// The lines of statements are pino's, byte for byte, whatever stands in them and however often it is repeated.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { lineWriter } from '../../src/audit/chain.ts';
import type { AuditRecord, StatementRecord } from '../../src/audit/index.ts';
import { bodyWriter } from '../../src/audit/serialise.ts';
import { isoTime } from '../../src/audit/time.ts';
import { settled, statement } from './support.ts';

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({ unit: 'grapheme', maxLength: 60 }),
  fc.constantFrom('', '"', '\\', '\ud800', '\u2028</script>', '\x1b[31m', 'é漢🦀', '\0'),
);
const list = fc.array(hostile, { maxLength: 3 });

const fields = fc.record({
  identity: hostile,
  issuer: hostile,
  groups: list,
  target: hostile,
  client: hostile,
  role: fc.option(hostile, { nil: undefined }),
  text: hostile,
  fingerprint: hostile,
  verbs: list,
  tables: list,
  columns: list,
  lineage: fc.option(fc.array(fc.record({ name: hostile, copied: list }), { maxLength: 2 }), { nil: undefined }),
  verdict: fc.constantFrom('allow', 'deny', 'hold'),
  rule: fc.option(hostile, { nil: undefined }),
  reason: fc.option(hostile, { nil: undefined }),
  masked: list,
  wouldBe: list,
  imitatesTag: fc.boolean(),
});

test('statements, settlements and events are written as pino writes them', () => {
  const pino = lineWriter();
  const write = bodyWriter();
  const line = (record: AuditRecord) => `${write(record)}}\n`;
  fc.assert(
    fc.property(fc.array(fields, { minLength: 1, maxLength: 3 }), (statements) => {
      for (const given of statements) {
        const record = statement(given as Partial<StatementRecord>);
        // The same session and the same lists again, one field other: nothing kept may stand in its place.
        const other = { ...record, text: `${record.text}.`, identity: `${record.identity}.`, verdict: 'deny' as const };
        for (const each of [record, record, other, { ...other, groups: [...other.groups, 'more'] }, record])
          expect(JSON.parse(line(each))).toEqual(JSON.parse(pino(each)));
        const end = settled(record, { sqlstate: given.rule, tag: given.reason, ms: 0.001, bytes: 2 ** 40 });
        // Half of a surrogate pair is escaped here and put out as it is by pino: the same value.
        expect(JSON.parse(line(end))).toEqual(JSON.parse(pino(end)));
        const usual = settled(record);
        expect(line(usual)).toBe(pino(usual));
      }
    }),
    { seed, numRuns: 300 },
  );
});

test('a statement as the gateway makes it has the very bytes of pino', () => {
  const record = statement({ rule: 'no "drops"', reason: 'é', prepared: statement().record });
  const { event, time, record: id, session, identity, issuer, groups, target, client, text, fingerprint } = record;
  const { verbs, tables, columns, imitatesTag, verdict, rule, reason, role, masked, wouldBe, prepared } = record;
  const first = { event, time, record: id, session, identity, issuer, groups, target, client, text, fingerprint };
  const ordered = {
    ...first,
    verbs,
    tables,
    columns,
    imitatesTag,
    verdict,
    rule,
    reason,
    role,
    masked,
    wouldBe,
    prepared,
  };
  const pino = lineWriter();
  const write = bodyWriter();
  for (let time = 0; time < 3; time++) expect(`${write(ordered)}}\n`).toBe(pino(ordered));
});

test('times are those of a date, in any order', () => {
  for (const ms of [0, 1, 999, 1000, 1764056000123, 1764056000123, 1764056000124, 5]) {
    expect(isoTime(ms)).toBe(new Date(ms).toISOString());
  }
});
