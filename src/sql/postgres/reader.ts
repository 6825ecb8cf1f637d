// The Postgres reader of one target: its catalog, kept fresh, and the readings shared by all sessions.

import pg from 'pg';
import { columnName } from '../facts.ts';
import { maxCachedText } from '../generations.ts';
import { OwnConnection } from '../own-connection.ts';
import type { SqlReader, SqlSession, TypeInfo } from '../reader.ts';
import type { ColumnName, StoredValue } from '../reading.ts';
import { withoutTrusted } from '../trust.ts';
import { ReadingCache, type ReadTexts, type Template } from './cache.ts';
import { Catalog, type TypeFact } from './catalog.ts';
import { loadCatalog } from './catalog-load.ts';
import {
  hasKey,
  keyOf,
  keyUnits,
  literalEnd,
  literalStart,
  literalsHash,
  literalText,
  type Scan,
  type Shape,
  scan,
  shapeOf,
} from './lexer.ts';
import { loadParser } from './parser.ts';
import { byteIndex, type Reading1, readText, type SessionState } from './read.ts';
import { PostgresSession, type SessionHost } from './session.ts';

export interface PostgresReaderOptions {
  /** The gateway's own connection to the target. */
  readonly connect: pg.ClientConfig;
  /** Functions whose effects the configuration vouches for, `schema.name`. */
  readonly trustedFunctions: readonly string[];
  /** How often the catalog is looked at; 30 seconds where left out, 0 for never. */
  readonly refreshIntervalMs?: number;
  readonly log?: (message: string) => void;
  /** A catalog to use as it is, without a connection. */
  readonly catalog?: Catalog;
}

/** Connects to the target, reads its catalog, and gives its reader. */
export async function createPostgresReader(options: PostgresReaderOptions): Promise<SqlReader> {
  await loadParser();
  const reader = new PostgresReader(options);
  await reader.start();
  return reader;
}

/** Longer texts are worth a scan. */
const maxInstance = 2_000;

const boundedVerbs = ['update', 'delete', 'merge'] as const;

class PostgresReader implements SqlReader, SessionHost {
  readonly dialect = 'postgres';
  catalog: Catalog;
  private readonly options: PostgresReaderOptions;
  private readonly trusted: ReadonlySet<string>;
  private readonly own = new OwnConnection<pg.Client>((lost) => this.connect(lost));
  private caches = new Map<string, ReadingCache>();
  private latestPath: readonly string[] | undefined;
  private latest: ReadingCache | undefined;
  private refreshing: Promise<void> | undefined;
  /** How often the catalog was said to be out of date, and up to which of these times it has been read since. */
  private wanted = 0;
  private loaded = 0;
  private timer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(options: PostgresReaderOptions) {
    this.options = options;
    this.catalog = options.catalog ?? new Catalog();
    this.trusted = new Set(options.trustedFunctions.map((name) => name.toLowerCase()));
  }

  async start(): Promise<void> {
    if (this.options.catalog !== undefined) return;
    await this.load(true);
    const interval = this.options.refreshIntervalMs ?? 30_000;
    if (interval > 0) {
      this.timer = setInterval(() => {
        if (!this.closed) void this.reload();
      }, interval);
      this.timer.unref();
    }
  }

  session(settings: ReadonlyMap<string, string>): SqlSession {
    return new PostgresSession(this, settings);
  }

  column(tableOid: number, attnum: number): ColumnName | undefined {
    const column = this.catalog.column(tableOid, attnum);
    return column === undefined ? undefined : columnName(column);
  }

  columns(schema: string, table: string): readonly string[] | undefined {
    return this.catalog.relations
      .get(schema)
      ?.get(table)
      ?.columns.map(({ name }) => name);
  }

  columnType(column: ColumnName): number | undefined {
    const relation = this.catalog.relations.get(column.schema)?.get(column.table);
    const type = relation?.columns.find((candidate) => candidate.name === column.column)?.type;
    return type === undefined || type === 0 ? undefined : this.catalog.baseType(type);
  }

  typeInfo(typeOid: number): TypeInfo | undefined {
    const fact = this.catalog.types.get(typeOid);
    return fact === undefined ? undefined : typeInfo(this.catalog, fact);
  }

  async refresh(): Promise<void> {
    this.stale();
    await this.ready();
  }

  async close(): Promise<void> {
    this.closed = true;
    clearInterval(this.timer);
    await this.own.close();
  }

  // The sessions' side.

  ready(): Promise<void> | undefined {
    return this.loaded >= this.wanted || this.options.catalog !== undefined ? undefined : this.upTo(this.wanted);
  }

  stale(): void {
    this.wanted += 1;
  }

  /** A load that is under way may have begun before what the caller knows of: then another one follows. */
  private async upTo(wanted: number): Promise<void> {
    for (let loads = 0; loads < 2 && this.loaded < wanted; loads += 1) await this.reload();
  }

  read(state: SessionState, text: string, shared: boolean, defaultPath: readonly string[]): Reading1 {
    if (!shared || text.length > maxCachedText)
      return this.trust(readText(this.catalog, state, text, shapeOf(text), defaultPath));
    const cache = this.cacheOf(state.path);
    const exact = cache.instances.get(text) ?? cache.texts.get(text);
    if (exact !== undefined) return { result: exact, analyses: [] };
    const found = scan(text);
    if (found === undefined) return readText(this.catalog, state, text, undefined, defaultPath);
    const template = found.several ? undefined : cache.shapes.get(found.hash);
    if (template !== undefined && hasKey(template.key)) {
      const result = instantiate(template, text, found);
      if (result !== undefined) {
        if (text.length <= maxInstance && cache.again(found.hash ^ literalsHash())) cache.instances.set(text, result);
        return { result, analyses: [] };
      }
    }
    const shape = { ...found, key: keyOf(text) };
    const fresh = this.trust(readText(this.catalog, state, text, shape, defaultPath));
    this.keep(cache, text, shape, fresh);
    return fresh;
  }

  async appeared(names: readonly string[]): Promise<boolean> {
    if (this.options.catalog !== undefined) return false;
    const found = await this.ask<{ changed: boolean }>(
      `select exists (select from pg_class where relname = any($1)) or exists (select from pg_proc where proname = any($1))
         or exists (select from pg_attribute where attname = any($1) and attnum > 0) as changed`,
      [names],
    );
    if (found?.changed !== true) return false;
    const before = this.catalog;
    await this.refresh();
    return this.catalog !== before;
  }

  private cacheOf(path: readonly string[]): ReadingCache {
    // Sessions keep their path's array for as long as it holds, and most have the same.
    if (path === this.latestPath && this.latest !== undefined) return this.latest;
    const key = path.join('\u0000');
    let cache = this.caches.get(key);
    if (cache === undefined) {
      if (this.caches.size >= 64) this.caches.clear();
      cache = new ReadingCache();
      this.caches.set(key, cache);
    }
    this.latestPath = path;
    this.latest = cache;
    return cache;
  }

  private keep(cache: ReadingCache, text: string, shape: Shape, fresh: Reading1): void {
    const { result, analyses } = fresh;
    if (result.kind !== 'read' || analyses.some((analysis) => analysis.missed || analysis.sessionDependent)) return;
    const [analysis] = analyses;
    const positioned = result.statements.some((statement) => statement.reading.opaque.length > 0);
    const sensitive =
      analyses.length !== 1 ||
      analysis === undefined ||
      analysis.literalSensitive ||
      (analysis.boundSensitive && boundedVerbs.some((verb) => analysis.verbs.has(verb))) ||
      positioned ||
      analysis.effects.length > 0;
    if (!sensitive && analysis !== undefined) {
      const index = byteIndex(text);
      const literals = analysis.storedLiterals.map((entry) => literalAt(index(entry.offset), shape.literals));
      const decodable = literals.every(
        (at, entry) => at >= 0 && literalText(text, at) === analysis.storedLiterals[entry]?.text,
      );
      if (decodable) {
        cache.shapes.set(shape.hash, {
          key: keyUnits(shape.key),
          result: unpositioned(result, text),
          literals,
          stored: analysis.storedLiterals,
        });
        return;
      }
    }
    cache.texts.set(text, result);
  }

  /** Drops what the configuration vouches for. */
  private trust({ result, analyses }: Reading1): Reading1 {
    if (result.kind !== 'read') return { result, analyses };
    const statements = result.statements.map((statement) => {
      const reading = withoutTrusted(statement.reading, this.trusted);
      return reading === statement.reading ? statement : { ...statement, reading };
    });
    return { result: { kind: 'read', statements }, analyses };
  }

  // The catalog's side.

  private reload(): Promise<void> {
    this.refreshing ??= this.load(false).finally(() => {
      this.refreshing = undefined;
    });
    return this.refreshing;
  }

  private async load(first: boolean): Promise<void> {
    const { wanted } = this;
    try {
      const fresh = await this.own.use(async (client) => loadCatalog(client, this.catalog));
      this.loaded = wanted;
      if (fresh === this.catalog) return;
      this.catalog = fresh;
      this.caches = new Map();
      this.latest = undefined;
    } catch (error) {
      if (first) throw error;
      // The old catalog stays in use; what it cannot resolve stays refused, and the next statement tries again.
      this.wanted = Math.max(this.wanted, this.loaded + 1);
      this.options.log?.(`the catalog could not be read: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  private async ask<R extends pg.QueryResultRow>(text: string, values: readonly unknown[]): Promise<R | undefined> {
    return this.own.use(async (client) => (await client.query<R>(text, [...values])).rows[0]);
  }

  private async connect(lost: (client: pg.Client) => void): Promise<pg.Client> {
    const client = new pg.Client({ application_name: 'sallyport catalog', ...this.options.connect });
    client.on('error', () => lost(client));
    client.on('end', () => lost(client));
    await client.connect();
    return client;
  }
}

function typeInfo(catalog: Catalog, fact: TypeFact): TypeInfo {
  const kinds = {
    b: 'base',
    c: 'composite',
    d: 'domain',
    e: 'enum',
    p: 'pseudo',
    r: 'range',
    m: 'multirange',
  } as const;
  const kind = fact.kind === 'b' && fact.element !== 0 ? 'array' : kinds[fact.kind];
  const of = kind === 'domain' ? fact.base : fact.element;
  const fields =
    kind === 'composite'
      ? catalog.relationsByOid.get(fact.relation)?.columns.map((column) => ({ name: column.name, type: column.type }))
      : undefined;
  return {
    name: fact.name,
    kind,
    ...(of === 0 ? {} : { of }),
    ...(kind === 'enum' ? { labels: fact.labels } : {}),
    ...(fields === undefined ? {} : { fields }),
    ...(fact.notNull ? { notNull: true } : {}),
  };
}

function literalAt(offset: number, count: number): number {
  for (let at = 0; at < count; at++) if (literalStart(at) === offset) return at;
  return -1;
}

/** A shared reading keeps a position only if nothing that varies stands before it. */
function unpositioned(result: ReadTexts, text: string): ReadTexts {
  const varies = Math.min(
    literalEnd(0) < 0 ? text.length : literalStart(0),
    ...['--', '/*'].map((mark) => (text.includes(mark) ? text.indexOf(mark) : text.length)),
  );
  const statements = result.statements.map((statement) => {
    if (statement.reading.uses.every((use) => use.position === undefined || use.position <= varies)) return statement;
    const uses = statement.reading.uses.map((use) => {
      if (use.position === undefined || use.position <= varies) return use;
      const { position: _, ...rest } = use;
      return rest;
    });
    return { ...statement, reading: Object.freeze({ ...statement.reading, uses }) };
  });
  return { kind: 'read', statements };
}

/** The reading of another text of the same shape: with that text's bounds and literals. Undefined where a literal needs the parser. */
function instantiate(template: Template, text: string, shape: Scan): ReadTexts | undefined {
  const [statement] = template.result.statements;
  if (statement === undefined) return { kind: 'read', statements: [] };
  let { reading } = statement;
  if (template.stored.length > 0) {
    const texts: string[] = [];
    for (const at of template.literals) {
      const found = literalText(text, at);
      if (found === undefined) return undefined;
      texts.push(found);
    }
    const stores = reading.stores.filter((entry) => entry.value.kind !== 'text');
    template.stored.forEach((entry, at) => {
      const value: StoredValue['value'] = { kind: 'text', text: texts[at] ?? '' };
      stores.push({ column: entry.column, value });
    });
    reading = Object.freeze({ ...reading, stores });
  }
  return { kind: 'read', statements: [{ reading, start: shape.start, end: shape.end, barrier: statement.barrier }] };
}
