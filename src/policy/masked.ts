// What may happen with masked columns: where they may stand in conditions, where their values may flow, how outputs are masked.
import {
  type ColumnName,
  type ColumnUse,
  type Flow,
  isFunction,
  type Output,
  type Reading,
  type Source,
  type UseKind,
} from '../sql/reading.ts';
import { asStrict, sameSpec } from './masks.ts';
import { touchedColumns } from './rules.ts';
import type { SessionPolicy } from './target.ts';
import type { ColumnMask, Decision, OutputMask } from './types.ts';

/** Masks that are enforced, or those in observe mode: the same checks run over either. */
export type Level = 'enforce' | 'observe';

/** Constants that masked columns may meet in one statement: more would be a search. */
export const mostConstants = 100;

function maskAt(session: SessionPolicy, column: ColumnName, level: Level): ColumnMask | undefined {
  const mask = session.maskFor(column);
  return mask !== undefined && mask.observe === (level === 'observe') ? mask : undefined;
}

/** The mask of a column that a masked value meets or goes to. What is only observed protects nothing yet that is enforced. */
function maskThere(session: SessionPolicy, column: ColumnName, level: Level): ColumnMask | undefined {
  const mask = session.maskFor(column);
  return level === 'enforce' && mask?.observe === true ? undefined : mask;
}

/** Refusals because of masked columns, in the order in which they should be told. */
export function maskedDecisions(session: SessionPolicy, reading: Reading, level: Level): readonly Decision[] {
  if (!(level === 'enforce' ? session.masksApply : session.masksObserved)) return [];
  return [
    ...opaqueDecisions(session, reading),
    ...useDecisions(session, reading, level),
    ...flowDecisions(session, reading, level),
  ];
}

function deny(rule: string, reading: Reading, because: string, hint: string, position?: number): Decision {
  return {
    kind: 'deny',
    rule,
    message: `denied by rule "${rule}": ${reading.summary} (${because})`,
    hint,
    ...(position === undefined ? {} : { position }),
  };
}

/** What the reader could not see through may hide a masked value; what the server would refuse anyway, it refuses in its own words. */
function opaqueDecisions(session: SessionPolicy, reading: Reading): readonly Decision[] {
  const decisions: Decision[] = [];
  for (const door of reading.sideDoors) {
    decisions.push(
      deny(
        'side-door',
        reading,
        `${door.name}: ${door.why}`,
        'This would show values of masked columns by another way. Leave it out.',
      ),
    );
  }
  for (const opaque of reading.opaque) {
    if (opaque.kind === 'statement') continue;
    if (opaque.missing !== undefined) {
      decisions.push(missingDecision(opaque.missing, opaque.position));
    } else if (isFunction(opaque)) {
      if (session.parts.trusts(opaque.name)) continue;
      const hint = `While masks apply, what ${opaque.name} does must be readable. Its owner can add it to trusted-functions of target "${session.target}".`;
      decisions.push(deny('opaque-function', reading, `${opaque.name}: ${opaque.why}`, hint, opaque.position));
    } else if (!session.parts.trusts(opaque.name)) {
      const hint = 'While masks apply, every column must be traced to its table. Name tables and columns plainly.';
      decisions.push(deny('unresolved', reading, `${opaque.name}: ${opaque.why}`, hint, opaque.position));
    }
  }
  return decisions;
}

/** The server's own error for a name that it does not know. */
export function missingDecision(
  missing: { readonly sqlstate: string; readonly message: string },
  position?: number,
): Decision {
  return {
    kind: 'deny',
    rule: 'unresolved',
    message: missing.message,
    hint: '',
    sqlstate: missing.sqlstate,
    ...(position === undefined ? {} : { position }),
  };
}

function useDecisions(session: SessionPolicy, reading: Reading, level: Level): readonly Decision[] {
  const decisions: Decision[] = [];
  let constants = 0;
  for (const use of reading.uses) {
    for (const [column, others] of sides(use)) {
      const mask = maskAt(session, column, level);
      if (mask === undefined || mask.predicates === 'allow' || use.how === 'count') continue;
      if (use.how === 'unique' && (use.constants ?? 0) === 1) continue;
      if (mask.predicates === 'deny') {
        const hint = `Column ${column.column} is masked and may not stand in conditions here. Choose rows by another column.`;
        decisions.push(deny('masked-predicate', reading, `${shown(column)} ${places[use.how]}`, hint, use.position));
        continue;
      }
      if (use.how === 'equality' || use.how === 'unique') {
        const stranger = others.find((other) => {
          // What a session makes for itself may hold any number of guesses.
          if (other.schema === 'pg_temp') return true;
          const otherMask = maskThere(session, other, level);
          return otherMask === undefined || !sameSpec(otherMask.spec, mask.spec);
        });
        if (stranger === undefined) continue;
        const hint = `Column ${column.column} is masked: compare it with a constant, a parameter or a column under the same mask.`;
        decisions.push(
          deny(
            'masked-predicate',
            reading,
            `${shown(column)} meets ${shown(stranger)}, which is not under the same mask`,
            hint,
            use.position,
          ),
        );
        continue;
      }
      const hint = `Column ${column.column} is masked: compare it whole with a constant or a parameter (${column.column} = $1), or count it; any other use would hand its values out piece by piece.`;
      decisions.push(deny('masked-predicate', reading, `${shown(column)} ${places[use.how]}`, hint, use.position));
    }
    if (use.how === 'equality' || use.how === 'unique') {
      const mask = maskAt(session, use.column, level);
      if (mask !== undefined && mask.predicates === 'equality') constants += use.constants ?? 0;
    }
  }
  if (constants > mostConstants) {
    const hint = `At most ${mostConstants} constants or parameters may meet masked columns in one statement.`;
    decisions.push(deny('masked-predicate', reading, `masked columns meet ${constants} constants`, hint));
  }
  return decisions;
}

/** Each column of a comparison with those it meets: a masked one may stand on either side. */
function sides(use: ColumnUse): readonly (readonly [ColumnName, readonly ColumnName[]])[] {
  const others = use.with ?? [];
  return [[use.column, others], ...others.map((other) => [other, [use.column]] as const)];
}

const places: Readonly<Record<UseKind, string>> = {
  equality: 'in a comparison',
  count: 'counted',
  unique: 'written to a unique column',
  range: 'in a range',
  pattern: 'in a pattern',
  order: 'in an ordering',
  group: 'in a grouping',
  window: 'in a window',
  distinct: 'under DISTINCT',
  computed: 'in a computation',
  join: 'in a join',
  'min-max': 'under min or max',
  limit: 'in a limit',
  'set-operation': 'in a set operation',
  branch: 'in a branch',
  argument: 'as an argument',
};

function flowDecisions(session: SessionPolicy, reading: Reading, level: Level): readonly Decision[] {
  const decisions: Decision[] = [];
  for (const flow of reading.flows) {
    const leak = flow.from.find((source) => {
      // Rows or branches that a masked column chose are a matter of the conditions above.
      if (source.how === 'chosen') return false;
      const mask = maskAt(session, source, level);
      return mask !== undefined && !staysMasked(session, source, mask, flow, level);
    });
    if (leak === undefined) continue;
    const hint = `Values of ${leak.column} are masked and may only be copied, unchanged, into a column under the same mask.`;
    decisions.push(deny('masked-flow', reading, `${shown(leak)} would flow into ${destination(flow)}`, hint));
  }
  return decisions;
}

/** A plain copy under the same mask, or under one that shows nothing, gives nothing away; a computed value is another value. */
function staysMasked(session: SessionPolicy, source: Source, mask: ColumnMask, { into }: Flow, level: Level): boolean {
  if (into.kind !== 'column' || source.how !== 'copied') return false;
  // Its definition is the session's own, and may be made to tell pieces.
  if (into.schema === 'pg_temp') return false;
  const there = maskThere(session, into, level);
  if (there === undefined || !asStrict(there, mask)) return false;
  return sameSpec(there.spec, mask.spec) || there.spec.kind === 'redact' || there.spec.kind === 'null';
}

function destination({ into }: Flow): string {
  if (into.kind === 'column') return shown(into);
  return into.what === 'unknown' ? 'a place that is not known' : `a ${into.what.replace('-', ' ')}`;
}

/** Names a column as people do: without the schema everyone has. */
export function shown({ schema, table, column }: ColumnName): string {
  return schema === '' || schema === 'public' ? `${table}.${column}` : `${schema}.${table}.${column}`;
}

/** The mask of each output. Entries whose mask says `observe` are for the record only. */
export function outputMasks(
  session: SessionPolicy,
  outputs: readonly Output[] | undefined,
): readonly (OutputMask | undefined)[] {
  if (outputs === undefined || (!session.masksApply && !session.masksObserved))
    return (outputs ?? []).map(() => undefined);
  return outputs.map(
    (output) =>
      (session.masksApply ? outputMask(session, output, 'enforce') : undefined) ??
      (session.masksObserved ? outputMask(session, output, 'observe') : undefined),
  );
}

function outputMask(session: SessionPolicy, output: Output, level: Level): OutputMask | undefined {
  // Most outputs are not masked: nothing is built for them.
  const at = output.sources.findIndex((source) => revealed(session, source, level) !== undefined);
  if (at < 0) return undefined;
  const masked = output.sources.slice(at).flatMap((source) => {
    const mask = revealed(session, source, level);
    return mask === undefined ? [] : [{ source, mask }];
  });
  const [first] = masked;
  if (first === undefined) return undefined;
  const { schema, table, column } = first.source;
  // A mask that gives the same for the same would show which constants beside the column are its values.
  const shows = output.mixed === true && (first.mask.spec.kind === 'hash' || first.mask.spec.kind === 'fake');
  if (!shows && masked.every(({ source, mask }) => source.how === 'copied' && sameSpec(mask.spec, first.mask.spec))) {
    return { kind: 'mask', mask: first.mask, column: { schema, table, column } };
  }
  if (level === 'observe')
    return { kind: 'mask', mask: { ...first.mask, spec: { kind: 'redact' } }, column: { schema, table, column } };
  const because = new Map(
    masked.map(({ source }) => [`${source.schema}\0${source.table}\0${source.column}`, source] as const),
  );
  return {
    kind: 'redact',
    because: [...because.values()].map((source) => ({
      schema: source.schema,
      table: source.table,
      column: source.column,
    })),
  };
}

/** The mask of a source whose value the output could show. */
function revealed(session: SessionPolicy, source: Source, level: Level): ColumnMask | undefined {
  return source.how === 'chosen' ? undefined : maskAt(session, source, level);
}

/** Facts of the catalog that make the answer narrower; without them the larger set counts. */
export interface CatalogFacts {
  columns(schema: string, table: string): readonly string[] | undefined;
}

/**
 * Whether server errors and notices of the statement could quote a masked value: it names a masked column, or it writes
 * to a table that has one (a violated constraint quotes the whole row).
 */
export function touchesMasked(session: SessionPolicy, reading: Reading, facts: CatalogFacts | undefined): boolean {
  if (!session.masksApply) return false;
  const masked = (column: ColumnName) => maskAt(session, column, 'enforce') !== undefined;
  if (reading.columns.some(masked) || touchedColumns(reading).some(masked)) return true;
  if (reading.below?.some(masked) === true) return true;
  return reading.tables.some(
    (use) => use.access !== 'read' && session.mayHoldMasked(use, facts?.columns(use.schema, use.table)),
  );
}
