// One session's view: modes, database, variables, prepared texts, temporary tables.
import type { MaybePromise } from '../../../protocols/gate.ts';
import type { ReadResult, ReadStatement, SqlSession } from '../reader.ts';
import type { Analysis, State } from './analysis.ts';
import type { Catalog } from './catalog.ts';
import { clientCharsets, type Dialect, sameDialect, withSqlMode, withVersion } from './modes.ts';
import { after, changesOfStatement, type Read } from './read.ts';
import { noSources } from './value.ts';

/** What a session needs of its target's reader. */
export interface SessionHost {
  readonly catalog: Catalog;
  /** Undefined where the catalog in use is fresh enough. */
  ready(): Promise<void> | undefined;
  /** The catalog is known to be out of date. */
  stale(): void;
  read(state: State, text: string): Read;
  /** Whether something that was not found has come to exist; a fresh catalog is in use if so. */
  appeared(analyses: readonly Analysis[]): Promise<boolean>;
}

export function freshState(dialect: Dialect, database: string): State {
  return {
    dialect,
    database,
    temporary: new Map(),
    prepared: new Map(),
    variables: new Map(),
    handlers: new Map(),
    last: noSources,
  };
}

export class MysqlSession implements SqlSession {
  epoch = 0;
  private readonly host: SessionHost;
  private state: State;
  private broken: string | undefined;
  private seen: Catalog;

  constructor(host: SessionHost, initial: State, settings: ReadonlyMap<string, string>) {
    this.host = host;
    this.seen = host.catalog;
    this.state = initial;
    for (const [name, value] of settings) this.parameter(name, value);
    this.epoch = 0;
  }

  read(text: string): MaybePromise<ReadResult> {
    if (this.broken !== undefined)
      return {
        kind: 'forbidden',
        rule: 'unreadable-session',
        message: this.broken,
        hint: 'Connect with the default settings.',
      };
    const waiting = this.host.ready();
    return waiting === undefined ? this.readNow(text) : waiting.then(() => this.readNow(text));
  }

  private readNow(text: string): MaybePromise<ReadResult> {
    if (this.host.catalog !== this.seen) {
      this.seen = this.host.catalog;
      this.epoch++;
    }
    const first = this.host.read(this.state, text);
    if (first.analyses.every((analysis) => !analysis.missed)) return first.result;
    return this.host.appeared(first.analyses).then(
      (found) => (found ? this.host.read(this.state, text).result : first.result),
      () => first.result,
    );
  }

  settled(statement: ReadStatement, ok: boolean): void {
    const change = changesOfStatement(statement);
    const before = this.state;
    this.state = after(before, change, ok);
    // Statements that read what others left are read anew each time; only these must know.
    if (change.effects.length > 0) this.epoch++;
    // DDL may be done in part although it failed.
    if (change.changesCatalog) this.host.stale();
  }

  transaction(): void {
    // Neither temporary tables nor variables or settings come back with a rollback.
  }

  /** The server has set the session back (COM_RESET_CONNECTION); its settings are told next. The database stays. */
  reset(): void {
    this.state = freshState(this.state.dialect, this.state.database);
    this.epoch++;
  }

  parameter(name: string, value: string): string | undefined {
    const key = name.toLowerCase();
    switch (key) {
      case 'version':
        return this.change({ dialect: withVersion(this.state.dialect, value) });
      case 'schema':
      case 'database':
        return this.change({ database: value });
      case 'sql_mode': {
        const dialect = withSqlMode(this.state.dialect, value);
        if (dialect === undefined) return this.break(`the server's sql_mode cannot be followed`);
        if (dialect.oracle) return this.break(`statements in the sql_mode ORACLE cannot be read`);
        return this.change({ dialect });
      }
      case 'character_set_client':
      case 'character_set_connection':
        if (clientCharsets.has(value.toLowerCase())) return undefined;
        return this.break(
          `the session's ${key} is ${value}; statements can be read in utf8mb4, utf8, latin1 and ascii only`,
        );
      default:
        return undefined;
    }
  }

  private break(why: string): string {
    this.broken = why;
    return why;
  }

  private change(part: Partial<State>): undefined {
    const next: State = { ...this.state, ...part };
    const same = next.database === this.state.database && sameDialect(next.dialect, this.state.dialect);
    if (same) return undefined;
    this.state = next;
    this.epoch++;
    return undefined;
  }
}
