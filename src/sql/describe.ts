// A reading in lines for a person: what `sallyport explain` prints, and what the golden fixtures hold.
import type { ColumnName, Flow, Reading, Source } from './reading.ts';

function table(name: { readonly schema: string; readonly table: string }): string {
  return name.schema === '' ? name.table : `${name.schema}.${name.table}`;
}

function column(name: ColumnName): string {
  return `${table(name)}.${name.column}`;
}

function sources(list: readonly Source[]): string {
  const parts: string[] = [];
  for (const how of ['copied', 'derived', 'chosen'] as const) {
    const names = list.filter((source) => source.how === how).map(column);
    if (names.length === 0) continue;
    parts.push(`${how === 'copied' ? '' : how === 'derived' ? 'computed from ' : 'chosen by '}${names.join(', ')}`);
  }
  return parts.length === 0 ? 'no column' : parts.join('; ');
}

function place(into: Flow['into']): string {
  return into.kind === 'column' ? column(into) : `a ${into.what.replace('-', ' ')}`;
}

/** Says what a statement does, one fact a line, in the order of the reading. */
export function describeReading(reading: Reading): string[] {
  const lines = [`${reading.summary} (${reading.verbs.join(', ')})`];
  for (const use of reading.tables) {
    lines.push(
      `${use.access === 'ddl' ? 'defines' : `${use.access}s`} ${table(use)}${use.direct ? '' : ' (not named in the text)'}`,
    );
  }
  if (reading.functions.length > 0) lines.push(`calls ${reading.functions.join(', ')}`);
  reading.outputs?.forEach((output, at) => {
    lines.push(`column ${at + 1} "${output.name}" <- ${sources(output.sources)}`);
  });
  for (const use of reading.uses) {
    const constants =
      use.constants === undefined ? '' : ` with ${use.constants} constant${use.constants === 1 ? '' : 's'}`;
    const others = use.with === undefined ? '' : ` with ${use.with.map(column).join(', ')}`;
    lines.push(`uses ${column(use.column)}: ${use.how}${constants}${others}`);
  }
  for (const flow of reading.flows) lines.push(`puts ${sources(flow.from)} into ${place(flow.into)}`);
  for (const store of reading.stores) {
    lines.push(
      `stores ${store.value.kind === 'text' ? 'a literal' : `parameter ${store.value.index + 1}`} in ${column(store.column)}`,
    );
  }
  for (const write of reading.unbounded) lines.push(`unbounded ${write.verb} of ${table(write.table)}: ${write.why}`);
  for (const setting of reading.settings) lines.push(`changes the setting ${setting.name}`);
  if (reading.copy !== undefined)
    lines.push(`copies ${reading.copy.direction} ${reading.copy.place} as ${reading.copy.format}`);
  for (const door of reading.sideDoors) lines.push(`side door ${door.name}: ${door.why}`);
  for (const fact of reading.opaque) lines.push(`not seen through: ${fact.kind} ${fact.name}: ${fact.why}`);
  return lines;
}
