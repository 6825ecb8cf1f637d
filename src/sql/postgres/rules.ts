// Rules and triggers of written tables: which further tables a write reaches.
import type { Verb } from '../reading.ts';
import { Analysis } from './analysis.ts';
import { effectivePath, type Relation } from './catalog.ts';
import { plainFields } from './from.ts';
import { summaryOf } from './functions.ts';
import { parse } from './parser.ts';
import { type Item, Scope } from './scope.ts';
import { statement } from './statements.ts';
import { as } from './tree.ts';
import { type Field, rootless, type Value } from './value.ts';

const events: Record<string, string> = { CMD_INSERT: 'insert', CMD_UPDATE: 'update', CMD_DELETE: 'delete' };

/** Reads the rules of a table for an event: their actions run in place of the write or beside it. */
export function applyRules(
  analysis: Analysis,
  relation: Relation | undefined,
  event: Verb,
  assigned: ReadonlyMap<string, Value>,
): void {
  if (relation === undefined || relation.rules.length === 0 || analysis.running.has(relation)) return;
  for (const text of relation.rules) {
    const inner = new Analysis({ ...analysis.around, local: new Map(), path: effectivePath([]) });
    inner.inside = 1;
    inner.depth = analysis.depth;
    for (const running of analysis.running) inner.running.add(running);
    inner.running.add(relation);
    try {
      const rule = as(parse(text)[0]?.stmt, 'RuleStmt');
      if (events[rule?.event ?? ''] !== event) continue;
      const old = plainFields(relation);
      const fresh = old.map(
        (field): Field => ({
          name: field.name,
          value: assigned.get(field.name) ?? (event === 'update' ? field.value : rootless),
        }),
      );
      for (const action of rule?.actions ?? []) statement(inner, action, rowScope(relation, old, fresh));
    } catch {
      inner.unreadable('statement', `${relation.schema}.${relation.name}`, 'a rule of this table cannot be read');
    }
    analysis.absorb(inner, true);
    analysis.uses.push(...inner.uses);
    analysis.flows.push(...inner.flows);
  }
}

/** OLD and NEW as rules and triggers see them. */
export function rowScope(relation: Relation, old: readonly Field[], fresh: readonly Field[]): Scope {
  const scope = new Scope(undefined);
  const item = (name: string, fields: readonly Field[]): Item => ({
    name,
    schema: undefined,
    relation,
    fields,
    bare: false,
    qualified: true,
    open: false,
  });
  scope.items = [item('old', old), item('new', fresh)];
  return scope;
}

/**
 * Notes the tables that triggers of a table reach. What triggers do is the owner's word, not the client's: their verbs, flows
 * and unreadable parts are judged when a client makes a trigger, not on every write.
 */
export function applyTriggers(analysis: Analysis, relation: Relation | undefined): void {
  if (relation === undefined) return;
  for (const fact of relation.triggers) {
    analysis.functions.add(`${fact.schema}.${fact.name}`);
    if (analysis.running.has(fact) || (fact.language !== 'plpgsql' && fact.language !== 'sql')) continue;
    const summary = summaryOf(analysis, fact);
    for (const use of summary.tables()) analysis.table(use, use.access, false);
    analysis.readBelow(summary.analysis);
  }
}
