// `sallyport scan`: samples a target through its own credentials and proposes masks for the columns that no mask lists yet.
import { inert } from '../audit/index.ts';
import { loadMaskKey } from '../config/index.ts';
import { createLog } from '../gateway/log.ts';
import { readerConnection } from '../gateway/mysql.ts';
import { Target } from '../gateway/target.ts';
import type { ColumnProposal, MaskSpec } from '../masking/index.ts';
import { loadOrFail } from './config.ts';
import { fail } from './output.ts';
import { progressBar } from './progress.ts';
import { scanMysql } from './scan-mysql.ts';
import { type ScannedTable, scanPostgres } from './scan-postgres.ts';

export interface ScanOptions {
  readonly config: string;
  readonly target: string;
  /** Rows looked at in each table. */
  readonly rows: number;
  readonly json: boolean;
}

interface Proposed {
  /** As `masks` names it: target.schema.table.column. */
  readonly column: string;
  readonly proposal: ColumnProposal;
}

/** Prints proposals on stdout, as a `masks` section or with `json` as one object; progress and what could not be read go to stderr. */
export async function scan(options: ScanOptions): Promise<void> {
  const config = await loadOrFail(options.config);
  if (config === undefined) return;
  const settings = config.targets.get(options.target);
  if (settings === undefined) return fail(`there is no target "${options.target}" in ${options.config}`);
  const target = new Target(settings, config, await loadMaskKey(config), createLog('warn'));
  const bar = progressBar(process.stderr);
  const tables: ScannedTable[] = [];
  try {
    const scanned =
      settings.dialect === 'mysql'
        ? scanMysql(readerConnection(settings, target.tls()), options.rows, bar.show)
        : scanPostgres(target.client('sallyport:scan'), options.rows, bar.show);
    for await (const table of scanned) tables.push(table);
  } catch (cause) {
    bar.clear();
    return fail(
      `the target "${options.target}" cannot be scanned: ${cause instanceof Error ? cause.message : String(cause)}`,
    );
  } finally {
    bar.clear();
    await target.close();
  }
  const summary = summarize(target, tables);
  process.stdout.write(
    options.json ? `${JSON.stringify(asJson(target.name, summary))}\n` : asYaml(target.name, summary),
  );
  for (const { table, error } of summary.unread)
    process.stderr.write(`${inert(table)} was not read: ${inert(error)}\n`);
  if (tables.length > 0 && summary.unread.length === tables.length) process.exitCode = 1;
}

interface Summary {
  readonly tables: number;
  readonly columns: number;
  /** Columns that a mask of the file names already. */
  readonly listed: number;
  readonly proposed: readonly Proposed[];
  readonly unread: readonly { readonly table: string; readonly error: string }[];
}

function summarize(target: Target, tables: readonly ScannedTable[]): Summary {
  let columns = 0;
  let listed = 0;
  const proposed: Proposed[] = [];
  const unread: { table: string; error: string }[] = [];
  for (const { schema, table, samples, error } of tables) {
    if (error !== undefined) unread.push({ table: `${schema}.${table}`, error });
    for (const [column, sample] of samples) {
      columns++;
      if (target.policy.listed({ schema, table, column })) {
        listed++;
        continue;
      }
      const proposal = sample.proposal();
      if (proposal !== undefined) {
        proposed.push({ column: [target.name, schema, table, column].map(quoted).join('.'), proposal });
      }
    }
  }
  return { tables: tables.length, columns, listed, proposed, unread };
}

/** A name with a dot stands in quotes; what cannot be written in a pattern at all becomes a wildcard. */
function quoted(name: string): string {
  const plain = name.replace(/^\s+|\s+$|["*]/g, '*');
  return plain.includes('.') ? `"${plain}"` : plain;
}

function asYaml(target: string, { tables, columns, listed, proposed }: Summary): string {
  const head = [
    `# Proposed for target "${target}": ${plural(tables, 'table')}, ${plural(columns, 'column')}, ${listed} of them listed in the file already.`,
    '# Read it before you take it over: a sample shows what is there, not what may come.',
  ];
  if (proposed.length === 0) return `${[...head, '# Nothing to propose.', 'masks: []'].join('\n')}\n`;
  const entries = proposed.map(
    ({ column, proposal }) =>
      `  # ${reason(proposal)}\n  - columns: [${JSON.stringify(column)}]\n    mask: ${maskAsYaml(proposal.spec)}`,
  );
  return `${[...head, 'masks:', ...entries].join('\n')}\n`;
}

function reason({ by, found, sampled }: ColumnProposal): string {
  if (by === 'name') return 'by its name';
  return `${found.map(([detector, count]) => `${detector} in ${count}`).join(', ')} of ${plural(sampled, 'value')}`;
}

function maskAsYaml(spec: MaskSpec): string {
  switch (spec.kind) {
    case 'keep-last':
    case 'keep-first':
      return `{ ${spec.kind}: ${spec.count} }`;
    case 'round':
      return `{ round: ${spec.to} }`;
    case 'fake':
      return `{ fake: ${spec.of} }`;
    case 'paths':
      return `{ paths: ${JSON.stringify(spec.paths)}, with: ${spec.inner.kind} }`;
    default:
      return spec.kind;
  }
}

/** The mask as the file would hold it. */
function maskAsJson(spec: MaskSpec): unknown {
  switch (spec.kind) {
    case 'keep-last':
    case 'keep-first':
      return { [spec.kind]: spec.count };
    case 'round':
      return { round: spec.to };
    case 'fake':
      return { fake: spec.of };
    case 'paths':
      return { paths: spec.paths, with: spec.inner.kind };
    default:
      return spec.kind;
  }
}

function asJson(target: string, { tables, columns, listed, proposed, unread }: Summary) {
  return {
    target,
    tables,
    columns,
    listed,
    proposals: proposed.map(({ column, proposal: { spec, by, found, sampled } }) => ({
      columns: [column],
      mask: maskAsJson(spec),
      by,
      found: Object.fromEntries(found),
      sampled,
    })),
    unread,
  };
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}
