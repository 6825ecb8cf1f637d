// One session's view: search_path, prepared statements, cursors, temporary tables, and DDL the catalog cannot show yet.
import type { MaybePromise } from '../../../protocols/gate.ts';
import type { ReadResult, ReadStatement, SqlSession } from '../reader.ts';
import { type Catalog, effectivePath, splitSearchPath } from './catalog.ts';
import { applyEffects, effectsOf, type Reading1, type SessionState } from './read.ts';

/** What a session needs of its target's reader. */
export interface SessionHost {
  readonly catalog: Catalog;
  /** Undefined where the catalog in use is fresh enough. */
  ready(): Promise<void> | undefined;
  /** The catalog is known to be out of date. */
  stale(): void;
  read(state: SessionState, text: string, shared: boolean, defaultPath: readonly string[]): Reading1;
  /** Whether a name that was not found has come to exist; a fresh catalog is in use if so. */
  appeared(names: readonly string[]): Promise<boolean>;
}

const forbiddenParameters: Readonly<Record<string, readonly string[]>> = {
  standard_conforming_strings: ['on'],
  client_encoding: ['UTF8'],
};

export class PostgresSession implements SqlSession {
  epoch = 0;
  private readonly host: SessionHost;
  private readonly state: SessionState;
  private readonly defaultPath: readonly string[];
  /** PostgreSQL 18 reports search_path itself; older servers leave it to us. */
  private reportsPath = false;
  private status: 'I' | 'T' | 'E' = 'I';
  private pathAtBegin: readonly string[] | undefined;
  private localPath = false;
  private lastEnd: 'commit' | 'rollback' = 'commit';
  private ddl = false;
  private broken: string | undefined;
  private seen: Catalog;

  constructor(host: SessionHost, settings: ReadonlyMap<string, string>) {
    this.host = host;
    this.seen = host.catalog;
    const reported = settings.get('search_path');
    this.defaultPath = effectivePath(splitSearchPath(reported ?? host.catalog.searchPath, host.catalog.user));
    this.state = {
      path: this.defaultPath,
      pathUnknown: false,
      local: new Map(),
      touched: new Set(),
      prepared: new Map(),
      cursors: new Map(),
    };
    for (const [name, value] of settings) this.broken ??= this.parameter(name, value);
    this.epoch = 0;
  }

  read(text: string): MaybePromise<ReadResult> {
    if (this.broken !== undefined) {
      return {
        kind: 'forbidden',
        rule: 'unreadable-session',
        message: this.broken,
        hint: 'Connect with the default settings.',
      };
    }
    const waiting = this.host.ready();
    return waiting === undefined ? this.readNow(text) : waiting.then(() => this.readNow(text));
  }

  private readNow(text: string): MaybePromise<ReadResult> {
    if (this.host.catalog !== this.seen) {
      this.seen = this.host.catalog;
      this.epoch++;
      // What was made in this session for all to see is in the catalog now.
      if (this.status === 'I')
        for (const [name, entry] of this.state.local)
          if (entry.relation.schema !== 'pg_temp') this.state.local.delete(name);
    }
    const { state } = this;
    const shared = state.local.size === 0 && state.touched.size === 0 && !state.pathUnknown;
    const first = this.host.read(state, text, shared, this.defaultPath);
    const missed = first.analyses.filter((analysis) => analysis.missed);
    if (missed.length === 0) return first.result;
    const names = missed.flatMap((analysis) => [
      ...analysis.missedNames,
      ...analysis.opaque.filter((fact) => fact.kind === 'column').map((fact) => fact.name.split('.').pop() ?? ''),
    ]);
    return this.host.appeared(names).then(
      (found) => (found ? this.host.read(this.state, text, shared, this.defaultPath).result : first.result),
      () => first.result,
    );
  }

  settled(statement: ReadStatement, ok: boolean): void {
    const effects = effectsOf(statement);
    if (effects.length === 0) return;
    if (!ok) {
      // A statement that failed half-way has changed nothing, but CALL and DO may commit in between.
      if (statement.reading.verbs.includes('call') || statement.reading.verbs.includes('do')) this.touch();
      return;
    }
    for (const effect of effects) {
      if (effect.kind === 'end') {
        if (effect.how === 'rollback-to') this.uncertain();
        else this.lastEnd = effect.how;
        continue;
      }
      if (effect.kind === 'search-path') {
        if (this.reportsPath) continue;
        this.pathAtBegin ??= this.state.path;
        this.localPath ||= effect.local;
      }
      if (effect.kind === 'touch' || (effect.kind === 'create' && effect.schema !== 'pg_temp')) this.ddl = true;
      applyEffects(this.state, [effect], this.host.catalog, this.defaultPath);
      this.epoch++;
    }
    if (this.ddl && this.status === 'I') this.touch();
  }

  private touch(): void {
    this.ddl = true;
    this.host.stale();
  }

  /** After ROLLBACK TO, what was made since the savepoint is gone; we do not keep count. */
  private uncertain(): void {
    for (const name of this.state.local.keys()) this.state.touched.add(name);
    if (this.pathAtBegin !== undefined && !this.reportsPath) this.state.pathUnknown = true;
    this.epoch++;
  }

  transaction(status: 'I' | 'T' | 'E'): void {
    if (status === 'I') this.ended();
    this.status = status;
  }

  private ended(): void {
    const failed = this.status === 'E' || this.lastEnd === 'rollback';
    if (this.ddl) {
      // The catalog shows what was committed; nothing of it is ours to remember any more.
      this.ddl = false;
      this.state.touched.clear();
      this.host.stale();
      this.epoch++;
    }
    if (failed && this.status !== 'I') {
      // Temporary tables made in a transaction that was undone may be gone.
      for (const name of this.state.local.keys()) this.state.touched.add(name);
      this.state.cursors.clear();
    }
    if (this.status !== 'I' && !this.reportsPath && this.pathAtBegin !== undefined) {
      if (failed) this.state.path = this.pathAtBegin;
      else if (this.localPath) this.state.pathUnknown = this.state.path !== this.pathAtBegin;
    }
    this.pathAtBegin = undefined;
    this.localPath = false;
    this.lastEnd = 'commit';
  }

  parameter(name: string, value: string): string | undefined {
    if (name === 'search_path') {
      this.reportsPath = true;
      this.state.path = effectivePath(splitSearchPath(value, this.host.catalog.user));
      this.state.pathUnknown = false;
      this.epoch++;
      return undefined;
    }
    const wanted = forbiddenParameters[name];
    if (wanted === undefined || wanted.includes(value)) return undefined;
    this.broken = `the server's ${name} is ${value}; statements can be read only with ${wanted.join(' or ')}`;
    return this.broken;
  }
}
