// Properties of the verdict over random policies and readings: more rules never allow more, more masks never show more.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findings, judge, type Verdict } from '../../src/policy/index.ts';
import type { ColumnUse, Dependence, Flow, Output, Reading, Source, UseKind } from '../../src/sql/index.ts';
import { verbs } from '../../src/sql/index.ts';
import { everything, reader, reading, rule, session } from './support.ts';

const schemas = fc.constantFrom('public', 'sales', '');
const tables = fc.constantFrom('a', 'b', 'c');
const columns = fc.constantFrom('x', 'y', 'z');
const columnName = fc.record({ schema: schemas, table: tables, column: columns });
const how = fc.constantFrom<Dependence[]>('copied', 'derived', 'chosen');
const source: fc.Arbitrary<Source> = fc
  .tuple(columnName, how)
  .map(([name, dependence]) => ({ ...name, how: dependence }));
const output: fc.Arbitrary<Output> = fc.record({ name: fc.constant('c'), sources: fc.array(source, { maxLength: 3 }) });
const use: fc.Arbitrary<ColumnUse> = fc.record({
  column: columnName,
  how: fc.constantFrom<UseKind[]>('equality', 'equality', 'count', 'range', 'order', 'join'),
  with: fc.array(columnName, { maxLength: 1 }),
  constants: fc.nat(150),
});
const flow: fc.Arbitrary<Flow> = fc.record({
  from: fc.array(source, { maxLength: 2 }),
  into: fc.oneof(
    columnName.map((name) => ({ kind: 'column' as const, ...name })),
    fc.constant({ kind: 'place' as const, what: 'new-table' as const }),
  ),
});
const anyReading: fc.Arbitrary<Reading> = fc
  .record({
    verbs: fc.uniqueArray(fc.constantFrom(...verbs), { minLength: 1, maxLength: 3 }),
    tables: fc.array(
      fc.record({
        schema: schemas,
        table: tables,
        access: fc.constantFrom('read' as const, 'write' as const, 'ddl' as const),
        direct: fc.boolean(),
      }),
      { maxLength: 3 },
    ),
    outputs: fc.option(fc.array(output, { maxLength: 4 }), { nil: undefined }),
    uses: fc.array(use, { maxLength: 2 }),
    flows: fc.array(flow, { maxLength: 1 }),
    functions: fc.array(fc.constantFrom('pg_catalog.lower', 'public.f'), { maxLength: 2 }),
  })
  .map((part) => reading(part));

const part = fc.constantFrom('*', 'a', 'b', 'c');
const anyRule = fc
  .tuple(
    fc.record(
      {
        verbs: fc.uniqueArray(fc.constantFrom('read', 'write', 'select', 'delete', 'drop'), { minLength: 1 }),
        tables: fc.tuple(fc.constantFrom('public', '*'), part).map((parts) => [parts.join('.')]),
        columns: fc
          .tuple(fc.constantFrom('public', '*'), part, fc.constantFrom('x', '*'))
          .map((parts) => [parts.join('.')]),
        functions: fc.constant(['f']),
        unbounded: fc.boolean(),
      },
      { requiredKeys: ['verbs'] },
    ),
    fc.constantFrom('deny', 'deny', 'hold', 'allow'),
    fc.constantFrom('enforce', 'observe'),
  )
  .map(([on, verdict, mode]) => ({ on, verdict, mode }));
type AnyRule = typeof anyRule extends fc.Arbitrary<infer T> ? T : never;

const anyMask = fc.record(
  {
    columns: fc
      .tuple(fc.constantFrom('public', '*'), part, fc.constantFrom('x', 'y', '*'))
      .map((parts) => [`shop.${parts.join('.')}`]),
    mask: fc.constantFrom<(string | object)[]>('redact', 'hash', { 'keep-last': 4 }, { 'keep-first': 2 }),
    predicates: fc.constantFrom('allow', 'equality', 'deny'),
    mode: fc.constantFrom('enforce', 'observe'),
    unless: fc.constantFrom({ roles: ['reader'] }, { groups: ['fraud'] }),
  },
  { requiredKeys: ['columns', 'mask'] },
);

// The role that masks may excuse is always in the file, but not always the identity's.
const elsewhere = { ...reader, groups: ['nobody'] };
const anyRoles = fc.constantFrom(
  [reader],
  [elsewhere, everything],
  [reader, everything],
  [elsewhere, { ...everything, tables: ['public.*'] }],
);
const policy = fc.record({
  roles: anyRoles,
  rules: fc.array(anyRule, { maxLength: 4 }),
  masks: fc.array(anyMask, { maxLength: 3 }),
});

function named(rules: readonly AnyRule[]): readonly object[] {
  return rules.map(({ on, verdict, mode }, at) =>
    rule(`r${at}`, on, verdict, { mode, ...(verdict === 'hold' ? { approvers: { groups: ['dba'] } } : {}) }),
  );
}

function insert<T>(list: readonly T[], at: number, item: T): readonly T[] {
  const place = at % (list.length + 1);
  return [...list.slice(0, place), item, ...list.slice(place)];
}

/** What comes of the outputs once everything that may be agreed to has been. */
function shownOutputs(verdict: Verdict): readonly boolean[] | undefined {
  if (verdict.kind === 'deny') return undefined;
  const allow = verdict.kind === 'hold' ? verdict.after : verdict;
  return allow.masks.map((mask) => mask === undefined || (mask.kind === 'mask' && mask.mask.observe));
}

const rank = { allow: 0, hold: 1, deny: 2 } as const;

describe('for every policy and every reading', () => {
  test('one more rule that denies or holds never makes a verdict milder', () => {
    fc.assert(
      fc.property(policy, anyReading, anyRule, fc.nat(10), ({ roles, rules, masks }, statement, extra, at) => {
        fc.pre(extra.verdict !== 'allow');
        const before = judge(session({ roles, rules: named(rules), masks }), statement);
        const after = judge(session({ roles, rules: named(insert(rules, at, extra)), masks }), statement);
        expect(rank[after.kind]).toBeGreaterThanOrEqual(rank[before.kind]);
      }),
      { numRuns: 300 },
    );
  });

  test('an allow rule changes no verdict', () => {
    fc.assert(
      fc.property(policy, anyReading, anyRule, ({ roles, rules, masks }, statement, extra) => {
        const before = judge(session({ roles, rules: named(rules), masks }), statement);
        const after = judge(
          session({ roles, rules: named([...rules, { ...extra, verdict: 'allow' }]), masks }),
          statement,
        );
        expect(after.kind).toBe(before.kind);
      }),
      { numRuns: 150 },
    );
  });

  test('one more mask never unmasks an output', () => {
    fc.assert(
      fc.property(policy, anyReading, anyMask, fc.nat(10), ({ roles, rules, masks }, statement, extra, at) => {
        const before = shownOutputs(judge(session({ roles, rules: named(rules), masks }), statement));
        const after = shownOutputs(
          judge(session({ roles, rules: named(rules), masks: insert(masks, at, extra) }), statement),
        );
        if (before === undefined || after === undefined) return;
        for (const [index, open] of before.entries()) {
          if (!open) expect(after[index]).toBe(false);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('no allowed output shows a masked column that it copies or computes from', () => {
    fc.assert(
      fc.property(policy, anyReading, ({ roles, rules, masks }, statement) => {
        const current = session({ roles, rules: named(rules), masks });
        const shown = shownOutputs(judge(current, statement));
        for (const [index, open] of (shown ?? []).entries()) {
          if (!open) continue;
          for (const from of statement.outputs?.[index]?.sources ?? []) {
            const mask = current.maskFor(from);
            expect(from.how === 'chosen' || mask === undefined || mask.observe).toBe(true);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test('a file in observe mode allows and shows everything, and finds what it would have found', () => {
    fc.assert(
      fc.property(policy, anyReading, ({ roles, rules, masks }, statement) => {
        // Beside one that is enforced, an observed mask protects nothing: here all are of one kind.
        const enforced = { roles, rules: named(rules), masks: masks.map((mask) => ({ ...mask, mode: 'enforce' })) };
        const strict = session(enforced);
        const observing = session({ ...enforced, more: { mode: 'observe' } });
        const verdict = judge(observing, statement);
        expect(verdict.kind).toBe('allow');
        expect(shownOutputs(verdict)?.every((open) => open)).not.toBe(false);
        const names = verdict.wouldBe.map((decision) => decision.rule);
        for (const { decision } of findings(strict, statement)) expect(names).toContain(decision.rule);
      }),
      { numRuns: 150 },
    );
  });

  test('the same question has the same answer', () => {
    fc.assert(
      fc.property(policy, anyReading, ({ roles, rules, masks }, statement) => {
        const current = session({ roles, rules: named(rules), masks });
        expect(judge(current, statement)).toEqual(judge(current, statement));
      }),
      { numRuns: 50 },
    );
  });
});
