// The MySQL reader of one target: its catalog, kept fresh, and the readings shared by all sessions.
import mysql from 'mysql2/promise';
import { maxCachedText } from '../generations.ts';
import { OwnConnection } from '../own-connection.ts';
import type { SqlReader, SqlSession } from '../reader.ts';
import { withoutTrusted } from '../trust.ts';
import type { Analysis, State } from './analysis.ts';
import { literalsOf, ReadingCache, type Single } from './cache.ts';
import { Catalog } from './catalog.ts';
import { columnsNow, loadCatalog, prepareConnection, routinesNow } from './catalog-load.ts';
import { lex, shapeOf } from './lexer.ts';
import { type Dialect, plainDialect, withSqlMode, withVersion } from './modes.ts';
import { type Read, readText, sameChanges } from './read.ts';
import { freshState, MysqlSession, type SessionHost } from './session.ts';
import { scan } from './shape.ts';
import { warmGrammar } from './warm.ts';

export interface MysqlReaderOptions {
  /** The gateway's own connection to the target. */
  readonly connect: mysql.ConnectionOptions;
  /** Functions and procedures whose effects the configuration vouches for, `database.name`. */
  readonly trustedFunctions: readonly string[];
  /** How often the catalog is looked at; 30 seconds where left out, 0 for never. */
  readonly refreshIntervalMs?: number;
  readonly log?: (message: string) => void;
  /** A catalog to use as it is, without a connection. */
  readonly catalog?: Catalog;
}

/** Connects to the target, reads its catalog, and gives its reader. */
export async function createMysqlReader(options: MysqlReaderOptions): Promise<SqlReader> {
  const reader = new MysqlReader(options);
  await reader.start();
  return reader;
}

/** Looking at the catalog takes at most this share of the time between two looks. */
const lookShare = 20;

class MysqlReader implements SqlReader, SessionHost {
  readonly dialect = 'mysql';
  catalog: Catalog;
  private readonly options: MysqlReaderOptions;
  private readonly trusted: ReadonlySet<string>;
  private readonly own = new OwnConnection<mysql.Connection>((lost) => this.connect(lost));
  private caches = new Map<string, ReadingCache>();
  private refreshing: Promise<void> | undefined;
  private needed = false;
  private timer: NodeJS.Timeout | undefined;
  private closed = false;
  private loadMs = 0;

  constructor(options: MysqlReaderOptions) {
    this.options = options;
    this.catalog = options.catalog ?? new Catalog(false);
    this.trusted = new Set(options.trustedFunctions.map((name) => name.toLowerCase()));
  }

  async start(): Promise<void> {
    if (this.options.catalog !== undefined) return;
    await this.load(true);
    void warmGrammar(withVersion(plainDialect, this.catalog.version), () => !this.closed);
    this.schedule();
  }

  private schedule(): void {
    const interval = this.options.refreshIntervalMs ?? 30_000;
    if (interval <= 0 || this.closed) return;
    this.timer = setTimeout(
      () => void this.load(false).finally(() => this.schedule()),
      Math.max(interval, this.loadMs * lookShare),
    );
    this.timer.unref();
  }

  session(settings: ReadonlyMap<string, string>): SqlSession {
    const base = withVersion(plainDialect, this.catalog.version);
    const dialect: Dialect = withSqlMode(base, this.catalog.sqlMode) ?? base;
    return new MysqlSession(this, freshState(dialect, this.options.connect.database ?? ''), settings);
  }

  column(): undefined {
    // The second witness of MySQL names its column itself.
    return undefined;
  }

  columns(schema: string, table: string): readonly string[] | undefined {
    return this.catalog.table(schema, table)?.columns.map(({ name }) => name);
  }

  columnType(column: { readonly schema: string; readonly table: string; readonly column: string }): number | undefined {
    const name = column.column.toLowerCase();
    const found = this.catalog
      .table(column.schema, column.table)
      ?.columns.find((each) => each.name.toLowerCase() === name);
    return found === undefined || found.type === 0 ? undefined : found.type;
  }

  typeInfo(): undefined {
    return undefined;
  }

  async refresh(): Promise<void> {
    this.stale();
    await this.ready();
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    await this.own.close();
  }

  // The sessions' side.

  ready(): Promise<void> | undefined {
    if (this.needed && this.options.catalog === undefined)
      this.refreshing ??= this.load(false).finally(() => {
        this.refreshing = undefined;
      });
    return this.refreshing;
  }

  stale(): void {
    this.needed = true;
  }

  read(state: State, text: string): Read {
    if (state.temporary.size > 0 || text.length > maxCachedText) return this.trust(readText(this.catalog, state, text));
    const cache = this.cacheOf(state);
    const quick = scan(text, state.dialect);
    const known = quick === undefined ? undefined : cache.quickly(quick.key, quick);
    if (known !== undefined) return { result: known, analyses: [] };
    const exact = cache.text(text);
    if (exact !== undefined) return { result: exact, analyses: [] };
    const single = oneStatement(state, text);
    if (single !== undefined) {
      const shared = cache.shape(single.key, literalsOf(single.tokens));
      if (shared !== undefined) {
        if (quick !== undefined) cache.promote(single.key, quick.key);
        return { result: shared, analyses: [] };
      }
    }
    const fresh = this.trust(readText(this.catalog, state, text));
    cache.keep(text, single, fresh);
    if (quick !== undefined && single !== undefined) cache.promote(single.key, quick.key);
    return fresh;
  }

  async appeared(analyses: readonly Analysis[]): Promise<boolean> {
    if (this.options.catalog !== undefined) return false;
    const tables = analyses.flatMap((analysis) => [...analysis.tables.values()]).filter(({ schema }) => schema !== '');
    const names = [...new Set(analyses.flatMap((analysis) => analysis.missedNames))];
    const changed = await this.own.use(async (connection) => {
      const now = await columnsNow(connection, tables.slice(0, 50));
      const differs = tables
        .slice(0, 50)
        .some(({ schema, table }, at) => (this.columns(schema, table) ?? []).join('\u0001') !== now[at]);
      return differs || (await routinesNow(connection, names)).some((name) => !this.knowsRoutine(name));
    });
    if (!changed) return false;
    const before = this.catalog;
    await this.refresh();
    return this.catalog !== before;
  }

  private knowsRoutine(name: string): boolean {
    const lower = name.toLowerCase();
    for (const routine of this.catalog.routines.values()) if (routine.name.toLowerCase() === lower) return true;
    return false;
  }

  private cacheOf(state: State): ReadingCache {
    const { dialect } = state;
    const modes = [
      dialect.ansiQuotes,
      dialect.noBackslashEscapes,
      dialect.pipesAsConcat,
      dialect.ignoreSpace,
      dialect.highNotPrecedence,
    ];
    const key = `${state.database}\0${dialect.mariadb}${dialect.version}${modes.map(Number).join('')}`;
    let cache = this.caches.get(key);
    if (cache === undefined) {
      if (this.caches.size >= 64) this.caches.clear();
      cache = new ReadingCache();
      this.caches.set(key, cache);
    }
    return cache;
  }

  /** Drops what the configuration vouches for. */
  private trust({ result, analyses }: Read): Read {
    if (result.kind !== 'read') return { result, analyses };
    const statements = result.statements.map((statement) => {
      const reading = withoutTrusted(statement.reading, this.trusted);
      if (reading === statement.reading) return statement;
      sameChanges(reading, statement.reading);
      return { ...statement, reading };
    });
    return { result: { kind: 'read', statements }, analyses };
  }

  // The catalog's side.

  private async load(first: boolean): Promise<void> {
    if (this.closed) return;
    this.needed = false;
    const begun = Date.now();
    try {
      const fresh = await this.own.use((connection) => loadCatalog(connection));
      this.loadMs = Date.now() - begun;
      if (fresh.digest === this.catalog.digest && this.catalog.digest !== '') return;
      this.catalog = fresh;
      this.caches = new Map();
    } catch (error) {
      if (first) throw error;
      // The old catalog stays in use; what it cannot resolve stays refused.
      this.needed = true;
      this.options.log?.(`the catalog could not be read: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  private async connect(lost: (connection: mysql.Connection) => void): Promise<mysql.Connection> {
    const connection = await mysql.createConnection({ ...this.options.connect, charset: 'utf8mb4' });
    connection.on('error', () => lost(connection));
    connection.on('end', () => lost(connection));
    await prepareConnection(connection);
    return connection;
  }
}

/** The shape of a text that is one statement without hints; undefined for any other. */
function oneStatement(state: State, text: string): Single | undefined {
  try {
    const { tokens, hints } = lex(text, state.dialect);
    let end = tokens.length;
    while (end > 0 && tokens[end - 1]?.text === ';' && tokens[end - 1]?.kind === 'operator') end--;
    const own = end === tokens.length ? tokens : tokens.slice(0, end);
    if (hints.length > 0 || own.length === 0) return undefined;
    if (own.some((token) => token.kind === 'operator' && token.text === ';')) return undefined;
    return { key: shapeOf(own), tokens: own };
  } catch {
    return undefined;
  }
}
