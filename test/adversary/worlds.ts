// Two databases that differ in the values of their masked columns only, and a judge between them and a client: what the client would
// see of a statement must be the same in both, whatever the statement is.
import pg from 'pg';
import { judge, type SessionPolicy } from '../../src/policy/index.ts';
import { createPostgresReader, type Reading, type SqlReader, type Verb } from '../../src/sql/index.ts';
import { type EmbeddedServer, startEmbedded } from '../../src/store/embedded.ts';
import { session as sessionWith } from '../policy/support.ts';
import { execute } from '../support/postgres.ts';
import { leakIn } from './canaries.ts';
import { fill, maskedColumns, script } from './support.ts';

export type Answer =
  | { readonly kind: 'refused'; readonly rule: string; readonly why: string }
  /** The grammar, or the server in both worlds, says that this is no statement. */
  | { readonly kind: 'invalid' }
  | { readonly kind: 'ran'; readonly rows: number }
  | { readonly kind: 'leaked'; readonly how: string };

const policy: SessionPolicy = sessionWith({
  roles: [{ name: 'all', groups: ['crew'], targets: ['shop'], allow: ['read', 'write', 'ddl', 'session', 'admin'] }],
  masks: [{ columns: maskedColumns.map((name) => `*.*.*.${name}`), mask: 'redact' }],
});

/** One statement of a text, as it is run. */
interface Step {
  readonly text: string;
  readonly reading: Reading;
  readonly masks: readonly boolean[];
  readonly touchesMasked: boolean;
}

interface Seen {
  /** Sorted: which of two equal plans the server takes is no word of ours. */
  readonly rows: readonly string[];
  readonly names: readonly string[];
  readonly error: { readonly code: string; readonly message: string } | undefined;
}

export class Worlds {
  private readonly server: EmbeddedServer;
  private readonly reader: SqlReader;
  private readonly clients: readonly pg.Client[];
  private readonly copied: string[][] = [[], []];

  private constructor(server: EmbeddedServer, reader: SqlReader, clients: readonly pg.Client[]) {
    this.server = server;
    this.reader = reader;
    this.clients = clients;
    clients.forEach((client, at) => {
      client.on('notice', () => undefined);
      const { connection } = client as unknown as { connection: NodeJS.EventEmitter };
      connection.on('copyData', (message: { chunk: Buffer }) => this.copied[at]?.push(message.chunk.toString('utf8')));
    });
  }

  static async open(): Promise<Worlds> {
    const server = await startEmbedded({ settings: { autovacuum: 'off', jit: 'off' } });
    await execute(server.url(), 'create database other');
    const urls = [server.url(), server.url('other')];
    for (const [at, url] of urls.entries()) {
      await execute(url, script);
      await fill(url, at === 0 ? 'first' : 'second');
      // The guess among the labels is a value of mine, not a canary.
      await execute(url, `delete from labels where label like '912-84%'`);
    }
    const reader = await createPostgresReader({
      connect: { connectionString: urls[0] ?? '' },
      trustedFunctions: [],
      refreshIntervalMs: 0,
    });
    const clients = await Promise.all(
      urls.map(async (url) => {
        const client = new pg.Client({ connectionString: url });
        client.on('error', () => undefined);
        await client.connect();
        // One way to join, so that hashes of masked values do not decide which row comes first.
        await client.query(
          `set enable_hashjoin = off; set enable_mergejoin = off; set statement_timeout = '5s'; delete from pg_statistic`,
        );
        return client;
      }),
    );
    return new Worlds(server, reader, clients);
  }

  async close(): Promise<void> {
    await Promise.all(this.clients.map((client) => client.end()));
    await this.reader.close();
    await this.server.stop();
  }

  /** Judges a statement, runs it in both worlds as far as its verdict lets it, and looks at what a client would see. */
  async try(sql: string): Promise<Answer> {
    const read = await this.reader.session(new Map([['search_path', '"$user", public']])).read(sql);
    if (read.kind !== 'read') return { kind: 'invalid' };
    if (read.statements.length === 0) return { kind: 'invalid' };
    const steps: Step[] = [];
    for (const statement of read.statements) {
      const verdict = judge(policy, statement.reading, this.reader);
      if (verdict.kind !== 'allow') return { kind: 'refused', rule: verdict.rule, why: verdict.message };
      const text = read.statements.length === 1 ? sql : sql.slice(statement.start, statement.end);
      const { reading } = statement;
      steps.push({
        // A COPY of masked columns is judged by its rows: the wire's masks have tests of their own.
        text: reading.copy === undefined ? text : (/^copy \((.*)\) to stdout/s.exec(text)?.[1] ?? text),
        reading,
        masks: verdict.masks.map((mask) => mask !== undefined),
        touchesMasked: verdict.touchesMasked,
      });
    }
    const seen = await Promise.all(this.clients.map((_, at) => this.run(at, steps)));
    const [one, other] = seen;
    if (one === undefined || other === undefined) return { kind: 'invalid' };
    if (one.error?.code === '57014' || other.error?.code === '57014') return { kind: 'invalid' };
    if (one.error !== undefined || other.error !== undefined) {
      if (one.error?.code !== other.error?.code)
        return {
          kind: 'leaked',
          how: `fails with ${one.error?.code ?? 'nothing'} or ${other.error?.code ?? 'nothing'}`,
        };
      const told = steps.some((step) => step.touchesMasked)
        ? undefined
        : leakIn(`${one.error?.message} ${other.error?.message}`, 8);
      return told === undefined ? { kind: 'invalid' } : { kind: 'leaked', how: `the error tells ${told}` };
    }
    const names = steps.at(-1)?.reading.outputs?.map((output) => output.name);
    if (one.names.length > 0 && names?.join('\0') !== one.names.join('\0'))
      return { kind: 'leaked', how: `the columns are ${one.names.join()}, read as ${names?.join() ?? 'none'}` };
    for (const row of [...one.rows, ...other.rows]) {
      // The worlds tell pieces that stand there by chance from those that leaked.
      const leak = leakIn(row, 8);
      if (leak !== undefined) return { kind: 'leaked', how: `tells ${leak}` };
    }
    if (one.rows.join('\n') !== other.rows.join('\n'))
      return { kind: 'leaked', how: `tells the worlds apart:\n${one.rows.join('\n')}\n--\n${other.rows.join('\n')}` };
    return { kind: 'ran', rows: one.rows.length };
  }

  private async run(at: number, steps: readonly Step[]): Promise<Seen> {
    const client = this.clients[at];
    if (client === undefined) throw new RangeError('no such world');
    const copied = this.copied[at] ?? [];
    copied.length = 0;
    const writes = steps.length > 1 || steps.some(({ reading }) => !reading.verbs.every((verb) => readVerbs.has(verb)));
    const rows: string[] = [];
    let names: string[] = [];
    try {
      if (writes) await client.query('begin');
      for (const step of steps) {
        const result = await client.query({
          text: step.text,
          rowMode: 'array',
          types: { getTypeParser: () => (value: string) => value },
        });
        rows.push(...(result.rows as (string | null)[][]).map((row) => shown(row, step.masks)));
        names = result.fields.map((field) => field.name);
      }
      return { rows: rows.sort(), names, error: undefined };
    } catch (error) {
      const failed = error as pg.DatabaseError;
      const message = [failed.message, failed.detail, failed.hint, failed.where].join(' ');
      return { rows: [], names: [], error: { code: failed.code ?? '', message } };
    } finally {
      if (writes) await client.query('rollback');
      if (steps.some(({ reading }) => reading.verbs.includes('prepare'))) await client.query('deallocate all');
    }
  }
}

const readVerbs: ReadonlySet<Verb> = new Set(['select', 'values', 'copy-to', 'explain']);

/** A row as a client sees it: masked values are one constant, NULL stays NULL. */
function shown(row: readonly (string | null)[], masks: readonly boolean[]): string {
  return row.map((value, at) => (value === null ? 'NULL' : masks[at] === true ? '***' : value)).join(' | ');
}
