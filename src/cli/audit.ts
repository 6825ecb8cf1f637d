// `sallyport audit`: the records, for people and, with --json, for programs.
import {
  type AuditFilter,
  EXPORT_FORMATS,
  exportRecords,
  FilterError,
  inert,
  type Merged,
  parseDuration,
  parseTime,
  renderJson,
  renderRecord,
  searchJournal,
  searchStore,
  tailRecords,
  tailStore,
  verifyJournal,
} from '../audit/index.ts';
import { type Config, needsStore } from '../config/index.ts';
import { openStore, type Store } from '../store/index.ts';
import { loadOrFail } from './config.ts';
import { colours, fail } from './output.ts';

/** Prints the latest records and, unless told not to, those that follow until Ctrl-C. */
export async function tail(options: {
  readonly config: string;
  readonly lines: string;
  readonly follow: boolean;
  readonly json: boolean;
  readonly journal?: boolean;
}): Promise<void> {
  const config = await loadOrFail(options.config);
  if (config === undefined) return;
  const last = Number(options.lines);
  if (!Number.isInteger(last) || last < 0)
    return fail(`--lines: expected a whole number, got ${JSON.stringify(options.lines)}`);
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  // A reader that went away (`audit tail | head`) is a good end, not an error.
  process.stdout.on('error', () => stop.abort());
  const how = { last, follow: options.follow, signal: stop.signal };
  await withStore(config, options, async (store) => {
    const records = store === undefined ? tailRecords(config.audit.journal, how) : tailStore(store, how);
    for await (const record of records) {
      process.stdout.write(
        `${options.json ? renderJson(record) : renderRecord(record, { color: colours(process.stdout) })}\n`,
      );
    }
  });
}

export interface FilterOptions {
  readonly identity?: string;
  readonly group?: string;
  readonly target?: string;
  readonly table?: string;
  readonly column?: string;
  readonly verdict?: string;
  readonly rule?: string;
  readonly verb?: string;
  readonly text?: string;
  readonly fingerprint?: string;
  readonly since?: string;
  readonly until?: string;
  readonly minDuration?: string;
  readonly minRows?: string;
  /** Reads the journal even where there is a store. */
  readonly journal?: boolean;
}

/** Prints the records that match, oldest first. */
export async function search(
  options: FilterOptions & { readonly config: string; readonly json: boolean },
): Promise<void> {
  await withMatches(options, async (records) => {
    const color = colours(process.stdout);
    for await (const record of records) {
      await print(`${options.json ? renderJson(record) : renderRecord(record, { color })}\n`);
    }
  });
}

/** Prints the records that match in a form other systems read. */
export async function exportAll(
  options: FilterOptions & { readonly config: string; readonly format: string },
): Promise<void> {
  const format = EXPORT_FORMATS.find((each) => each === options.format);
  if (format === undefined)
    return fail(`--format: expected ${EXPORT_FORMATS.join(', ')}, got ${JSON.stringify(options.format)}`);
  await withMatches(options, async (records) => {
    for await (const part of exportRecords(records, format)) await print(part);
  });
}

/** Checks the chains; the exit code is 1 when anything was changed, and each place is named. */
export async function verify(options: {
  readonly config: string;
  readonly since?: string;
  readonly json: boolean;
}): Promise<void> {
  await withFilter(options, async (config, { since }) => {
    const report = await verifyJournal(config.audit.journal, since === undefined ? {} : { time: since });
    if (!report.ok) process.exitCode = 1;
    if (options.json) return print(`${JSON.stringify(report)}\n`);
    for (const { worker, segment, line, message } of report.problems) {
      const place = [
        worker,
        segment === undefined ? '' : `segment ${segment}`,
        line === undefined ? '' : `line ${line}`,
      ];
      await print(`broken: ${place.filter((part) => part !== '').join(', ')}: ${message}\n`);
    }
    for (const { worker, segments, lines } of report.chains)
      await print(`${worker}: ${lines} lines in ${segments} segments\n`);
    await print(report.ok ? 'the records are whole and unchanged\n' : 'the records are NOT as they were written\n');
  });
}

/** The records that match, from the store where there is one, else from the journal. */
async function withMatches(
  options: FilterOptions & { readonly config: string },
  use: (records: AsyncIterable<Merged>) => Promise<void>,
): Promise<void> {
  await withFilter(options, (config, filter) =>
    withStore(config, options, (store) =>
      use(store === undefined ? searchJournal(config.audit.journal, filter) : searchStore(store, filter)),
    ),
  );
}

/** Opens the store of a configuration that has one. Where it cannot be reached, that is said and the journal is read. */
async function withStore(
  config: Config,
  { journal }: { readonly journal?: boolean },
  use: (store: Store | undefined) => Promise<void>,
): Promise<void> {
  if (journal === true || !needsStore(config)) return use(undefined);
  let store: Store;
  try {
    store = await openStore(config, { as: 'visitor' });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    process.stderr.write(`the store cannot be reached (${inert(why ?? '')}): reading the journal\n`);
    return use(undefined);
  }
  try {
    await use(store);
  } finally {
    await store.close();
  }
}

async function withFilter(
  options: FilterOptions & { readonly config: string },
  use: (config: Config, filter: AuditFilter) => Promise<void>,
): Promise<void> {
  const config = await loadOrFail(options.config);
  if (config === undefined) return;
  try {
    await use(config, filterOf(options));
  } catch (cause) {
    if (!(cause instanceof FilterError)) throw cause;
    fail(cause.message);
  }
}

function filterOf(options: FilterOptions): AuditFilter {
  const { identity, group, target, table, column, rule, verb, text, fingerprint } = options;
  const verdict = (['allow', 'deny', 'hold'] as const).find((each) => each === options.verdict);
  if (options.verdict !== undefined && verdict === undefined)
    throw new FilterError('--verdict: expected allow, deny or hold');
  const minRows = options.minRows === undefined ? undefined : Number(options.minRows);
  if (minRows !== undefined && !Number.isInteger(minRows)) throw new FilterError('--min-rows: expected a whole number');
  return {
    identity,
    group,
    target,
    table,
    column,
    verdict,
    rule,
    verb,
    text,
    fingerprint,
    minRows,
    since: options.since === undefined ? undefined : parseTime(options.since),
    until: options.until === undefined ? undefined : parseTime(options.until),
    minMs: options.minDuration === undefined ? undefined : parseDuration(options.minDuration),
  };
}

/** Waits where the reader is slower than the journal, so that an export of any size takes constant memory. */
async function print(text: string): Promise<void> {
  if (!process.stdout.write(text)) await new Promise((resolve) => process.stdout.once('drain', resolve));
}
