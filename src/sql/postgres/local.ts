// Tables that the catalog does not show yet: temporary ones, and what was made earlier in the same text.
import type { LocalRelation } from './analysis.ts';
import type { Column, Relation } from './catalog.ts';
import { addSources, columnValue, type Field, type How } from './value.ts';

/** A table that only this session sees, with what its columns were made of. */
export function localRelation(schema: string, name: string, fields: readonly Field[]): LocalRelation {
  const relation: Relation = {
    oid: 0,
    schema,
    name,
    kind: 't',
    rowType: 0,
    columns: [],
    parents: [],
    children: [],
    definition: undefined,
    rules: [],
    triggers: [],
  };
  const shown = fields.map((field, at) => {
    const column: Column = {
      table: relation,
      name: field.name,
      attnum: at + 1,
      type: field.value.type,
      notNull: false,
      generated: false,
    };
    relation.columns.push(column);
    const sources = new Map<Column, How>(columnValue(column).sources);
    addSources(sources, field.value.sources, undefined);
    return {
      name: field.name,
      value: {
        sources,
        pure: field.value.pure || field.value.sources.size === 0,
        constants: 0,
        type: field.value.type,
      },
    };
  });
  return { relation, fields: shown };
}
