// `sallyport audit`: the records, for people and, with --json, for programs.
import { renderJson, renderRecord, tailRecords } from '../audit/index.ts';
import { loadOrFail } from './config.ts';
import { colours, fail } from './output.ts';

/** Prints the latest records and, unless told not to, those that follow until Ctrl-C. */
export async function tail(options: {
  readonly config: string;
  readonly lines: string;
  readonly follow: boolean;
  readonly json: boolean;
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
  for await (const record of tailRecords(config.audit.journal, { last, follow: options.follow, signal: stop.signal })) {
    process.stdout.write(
      `${options.json ? renderJson(record) : renderRecord(record, { color: colours(process.stdout) })}\n`,
    );
  }
}
