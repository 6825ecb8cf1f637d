// Views and materialized views by their definitions: each is read once for a catalog.
import { Analysis, recursion } from './analysis.ts';
import { effectivePath, type Relation } from './catalog.ts';
import { parse } from './parser.ts';
import { query } from './queries.ts';
import { addSources, chosenBy, columnValue, type Field, type How, rootless } from './value.ts';

interface View {
  readonly fields: readonly Field[];
  readonly analysis: Analysis;
}

const views = new WeakMap<Relation, View>();

/** The columns of a view: the view's own, and what they are made of. Adds what lies below to the reading. */
export function viewFields(analysis: Analysis, relation: Relation): readonly Field[] {
  if (analysis.running.has(relation)) {
    recursion.hits++;
    return relation.columns.map((column) => ({ name: column.name, value: columnValue(column) }));
  }
  const shared = analysis.around.touched.size === 0;
  let view = shared ? views.get(relation) : undefined;
  if (view === undefined) {
    const before = recursion.hits;
    view = readView(analysis, relation);
    if (shared && (analysis.running.size === 0 || recursion.hits === before)) views.set(relation, view);
  }
  analysis.absorbBelow(view.analysis);
  return view.fields;
}

function readView(outer: Analysis, relation: Relation): View {
  // Definitions are written for an empty search_path; nothing of the session shows in them.
  const inner = new Analysis({ ...outer.around, local: new Map(), path: effectivePath([]) });
  inner.inside = 1;
  inner.depth = outer.depth;
  for (const running of outer.running) inner.running.add(running);
  inner.running.add(relation);
  let below: readonly Field[] = [];
  try {
    const [statement] = parse(relation.definition ?? '');
    const result = query(inner, statement?.stmt, undefined);
    below = result.fields.map((field) => ({ name: field.name, value: chosenBy(field.value, result.rows) }));
  } catch {
    inner.unreadable('relation', `${relation.schema}.${relation.name}`, 'the definition of this view cannot be read');
  }
  if (below.length !== relation.columns.length) {
    inner.unreadable(
      'relation',
      `${relation.schema}.${relation.name}`,
      'the definition of this view does not match its columns',
    );
  }
  const fields = relation.columns.map((column, at) => {
    const own = columnValue(column);
    const value = below[at]?.value ?? rootless;
    const sources = new Map<typeof column, How>(own.sources);
    addSources(sources, value.sources, undefined);
    return { name: column.name, value: { sources, pure: value.pure, constants: 0, type: column.type } };
  });
  return { fields, analysis: inner };
}
