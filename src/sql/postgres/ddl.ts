// Definitions of tables and views: what they touch, and where they would carry values to.
import type { Analysis } from './analysis.ts';
import { generic } from './ddl-other.ts';
import { readExpressions, rowsOf } from './definitions.ts';
import { lookup, plainFields } from './from.ts';
import { localRelation } from './local.ts';
import { query } from './queries.ts';
import type { Scope } from './scope.ts';
import { statement } from './statements.ts';
import { as, type CreateStmt, type CreateTableAsStmt, names, type RangeVar, type ViewStmt } from './tree.ts';
import { resolveType } from './types.ts';
import { type Field, rootless } from './value.ts';

function created(analysis: Analysis, range: RangeVar | undefined): void {
  const schema = range?.relpersistence === 't' ? 'pg_temp' : (range?.schemaname ?? creationSchema(analysis));
  analysis.table({ schema, table: range?.relname ?? '' }, 'ddl');
  analysis.barrier = true;
  // A temporary table hides a permanent one; which of them a name means then depends on rollbacks we do not see.
  if (
    schema === 'pg_temp' &&
    analysis.inside === 0 &&
    analysis.catalog.relation(undefined, range?.relname ?? '', analysis.around.path) !== undefined
  ) {
    analysis.unreadable(
      'relation',
      range?.relname ?? '',
      'a temporary table would hide a table of the same name',
      range?.location,
    );
  }
}

/** The first schema of the path that exists and is named by the user. */
export function creationSchema(analysis: Analysis): string {
  return (
    analysis.around.path.find((schema) => !schema.startsWith('pg_') && analysis.catalog.schemas.has(schema)) ?? 'public'
  );
}

export function createTableAs(analysis: Analysis, body: CreateTableAsStmt, scope: Scope | undefined): void {
  analysis.verbs.add('create');
  analysis.literalSensitive = true;
  created(analysis, body.into?.rel);
  const view = body.objtype === 'OBJECT_MATVIEW' ? 'view' : 'new-table';
  const select = as(body.query, 'SelectStmt');
  let fields: readonly Field[];
  if (select !== undefined) {
    analysis.verbs.add('select');
    const plain = { ...select };
    delete plain.intoClause;
    const result = query(analysis, { SelectStmt: plain }, scope);
    fields = result.fields;
    for (const field of fields) analysis.flow(field.value.sources, { kind: 'place', what: view });
  } else {
    const result = body.query === undefined ? undefined : statement(analysis, body.query, scope);
    fields = result?.fields ?? [];
    for (const field of fields) analysis.flow(field.value.sources, { kind: 'place', what: view });
  }
  const aliases = names(body.into?.colNames);
  remember(
    analysis,
    body.into?.rel,
    fields.map((field, at) => ({ name: aliases[at] ?? field.name, value: field.value })),
  );
}

function schemaOf(analysis: Analysis, range: RangeVar | undefined): string {
  const temporary = range?.relpersistence === 't' || range?.schemaname === 'pg_temp';
  return temporary ? 'pg_temp' : (range?.schemaname ?? creationSchema(analysis));
}

function remember(analysis: Analysis, range: RangeVar | undefined, fields: readonly Field[]): void {
  const name = range?.relname ?? '';
  const schema = schemaOf(analysis, range);
  // Where one of this name is there already, which one a name means afterwards is for the next catalog to say.
  if (analysis.inside > 0 || analysis.catalog.relation(schema, name, []) !== undefined) touch(analysis, [name]);
  else analysis.effects.push({ kind: 'create', name, schema, fields });
}

export function touch(analysis: Analysis, touched: readonly string[]): void {
  analysis.effects.push({ kind: 'touch', names: analysis.inside > 0 ? ['*'] : touched });
}

export function createTable(analysis: Analysis, body: CreateStmt): void {
  created(analysis, body.relation);
  const fields: Field[] = [];
  for (const parent of body.inhRelations ?? []) fields.push(...lookup(analysis, as(parent, 'RangeVar'), 'ddl').fields);
  for (const element of body.tableElts ?? []) {
    const column = as(element, 'ColumnDef');
    if (column !== undefined)
      fields.push({
        name: column.colname ?? '',
        value: { ...rootless, type: resolveType(analysis, column.typeName).oid },
      });
    const like = as(element, 'TableLikeClause');
    if (like !== undefined)
      fields.push(
        ...lookup(analysis, like.relation, 'ddl').fields.map((field) => ({
          name: field.name,
          value: { ...rootless, type: field.value.type },
        })),
      );
  }
  generic(analysis, { CreateStmt: body });
  // A mask by wildcard may stand over the new columns: what the definition makes of them counts.
  const name = body.relation?.relname ?? '';
  const { relation } = localRelation(schemaOf(analysis, body.relation), name, fields);
  readExpressions(analysis, body, rowsOf(name, plainFields(relation), relation));
  for (const node of body.partspec?.partParams ?? []) {
    // Which partition a row is in shows by its tableoid.
    const key = plainFields(relation).find((field) => field.name === as(node, 'PartitionElem')?.name);
    if (key !== undefined) analysis.useValue(key.value, 'group');
  }
  remember(analysis, body.relation, fields);
}

export function createView(analysis: Analysis, body: ViewStmt): void {
  created(analysis, body.view);
  const result = query(analysis, body.query, undefined);
  for (const field of result.fields) analysis.flow(field.value.sources, { kind: 'place', what: 'view' });
  const aliases = names(body.aliases);
  remember(
    analysis,
    body.view,
    result.fields.map((field, at) => ({ name: aliases[at] ?? field.name, value: field.value })),
  );
}
