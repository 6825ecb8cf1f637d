// What one reading collects while its tree is walked, and what it may look at.

import type { UseNote } from '../facts.ts';
import type {
  ColumnName,
  CopyOptions,
  Flow,
  Opaque,
  Output,
  SideDoor,
  StoredValue,
  TableName,
  TableUse,
  UnboundedWrite,
  UseKind,
  Verb,
} from '../reading.ts';
import type { Catalog, Column, FunctionFact, Relation } from './catalog.ts';
import type { Node } from './tree.ts';
import { chosen, copied, type Field, type Sources, type Value } from './value.ts';

/** Everything outside the text that a reading depends on. */
export interface Surroundings {
  readonly catalog: Catalog;
  /** Schemas in the order the server looks, pg_temp and pg_catalog included. */
  readonly path: readonly string[];
  /** Temporary tables and what was created earlier in the same text, by name. */
  readonly local: ReadonlyMap<string, LocalRelation>;
  /** Names that DDL has touched which the catalog cannot show yet; `*` stands for any. */
  readonly touched: ReadonlySet<string>;
  readonly prepared: ReadonlyMap<string, Remembered>;
  readonly cursors: ReadonlyMap<string, Remembered>;
}

export interface LocalRelation {
  readonly relation: Relation;
  readonly fields: readonly Field[];
}

/** What a name of SQL PREPARE or DECLARE stands for: a statement read anew at each EXECUTE, or a cursor's reading as it was. */
export type Remembered =
  | { readonly kind: 'statement'; readonly node: Node }
  | { readonly kind: 'cursor'; readonly analysis: Analysis };

/** What a statement changes for the statements behind it. */
export type Effect =
  | {
      readonly kind: 'search-path';
      readonly value: string | undefined;
      readonly local: boolean;
      readonly reset: boolean;
    }
  | { readonly kind: 'prepare'; readonly name: string; readonly remembered: Remembered }
  | { readonly kind: 'declare'; readonly name: string; readonly remembered: Remembered }
  /** Without a name: all of them. */
  | { readonly kind: 'deallocate'; readonly name: string | undefined }
  | { readonly kind: 'close'; readonly name: string | undefined }
  | { readonly kind: 'create'; readonly name: string; readonly schema: string; readonly fields: readonly Field[] }
  /** Names whose meaning the catalog does not show until it is read again; `*` for any. */
  | { readonly kind: 'touch'; readonly names: readonly string[] }
  | { readonly kind: 'end'; readonly how: 'commit' | 'rollback' | 'rollback-to' }
  | { readonly kind: 'discard' };

/** A literal that is written into a column, by the byte offset at which it stands. */
export interface StoredLiteral {
  readonly column: ColumnName;
  readonly text: string;
  readonly offset: number;
}

const maxDepth = 800;

/** Counts the times a function or view was met while it was being read. */
export const recursion = { hits: 0 };

export class TooDeep extends Error {}

export class Analysis {
  readonly around: Surroundings;
  readonly verbs = new Set<Verb>();
  readonly tables = new Map<string, TableUse>();
  readonly columns = new Set<Column>();
  readonly functions = new Set<string>();
  readonly unbounded: UnboundedWrite[] = [];
  readonly uses: UseFact[] = [];
  readonly flows: FlowFact[] = [];
  readonly stores: StoredValue[] = [];
  readonly storedLiterals: StoredLiteral[] = [];
  readonly opaque: OpaqueFact[] = [];
  readonly sideDoors: SideDoor[] = [];
  readonly settings: { name: string; value: string | undefined }[] = [];
  forbidden: { rule: string; message: string; hint: string } | undefined;
  outputs: readonly Field[] | undefined;
  copy: CopyOptions | undefined;
  summary = '';
  /** The reading holds for these literals only. */
  literalSensitive = false;
  /** Whether a write is bounded holds for these literals only. */
  boundSensitive = false;
  readonly effects: Effect[] = [];
  /** The reading depends on the session, so that it cannot be shared. */
  sessionDependent = false;
  /** The session or the catalog differ afterwards. */
  barrier = false;
  /** Some call may make a very large text. */
  bulk = false;
  /** How many concatenations of column values there are. */
  joins = 0;
  /** Columns that views, triggers and rules read on their own: errors of the statement may quote them. */
  readonly below = new Set<Column>();
  /** Something was not found; a fresher catalog may know it. */
  missed = false;
  readonly missedNames: string[] = [];
  /** Over 0 inside views and functions: names there are not the client's. */
  inside = 0;
  depth = 0;
  readonly running = new Set<FunctionFact | Relation>();

  constructor(around: Surroundings) {
    this.around = around;
  }

  get catalog(): Catalog {
    return this.around.catalog;
  }

  /** Guards the recursion of the walkers. */
  enter(): void {
    if (++this.depth > maxDepth) throw new TooDeep();
  }

  leave(): void {
    this.depth--;
  }

  table(name: TableName, access: TableUse['access'], direct = this.inside === 0): void {
    const key = `${access} ${name.schema}.${name.table}`;
    const known = this.tables.get(key);
    if (known === undefined || (direct && !known.direct)) {
      this.tables.set(key, { schema: name.schema, table: name.table, access, direct });
    }
  }

  /** Values steer something other than an output here. */
  use(sources: Sources, how: UseKind, offset?: number): void {
    for (const [column, kind] of sources) {
      if (kind !== chosen) this.uses.push({ column, how, offset });
    }
  }

  /** As `use`, for a place where only an uncomputed value is what it seems. */
  useValue(value: Value, how: UseKind, offset?: number): void {
    for (const [column, kind] of value.sources) {
      if (kind === chosen) continue;
      this.uses.push({ column, how: kind === copied || how !== 'equality' ? how : 'computed', offset });
    }
  }

  flow(sources: Sources, into: FlowFact['into']): void {
    for (const kind of sources.values()) {
      if (kind === chosen) continue;
      this.flows.push({ from: sources, into });
      return;
    }
  }

  unreadable(kind: Opaque['kind'], name: string, why: string, offset?: number, missing?: Opaque['missing']): void {
    if (this.opaque.some((known) => known.kind === kind && known.name === name && known.why === why)) return;
    this.opaque.push({ kind, name, why, offset: this.inside === 0 ? offset : undefined, missing });
  }

  sideDoor(name: string, why: string): void {
    if (!this.sideDoors.some((door) => door.name === name)) this.sideDoors.push({ name, why });
  }

  /** Takes over what a view reads: its tables, functions and what cannot be seen through. Its own conditions are no use of ours. */
  absorbBelow(view: Analysis): void {
    for (const use of view.tables.values()) this.table(use, use.access, false);
    for (const name of view.functions) this.functions.add(name);
    for (const fact of view.opaque) this.unreadable(fact.kind, fact.name, fact.why);
    for (const door of view.sideDoors) this.sideDoor(door.name, door.why);
    for (const verb of view.verbs) this.verbs.add(verb);
    this.readBelow(view);
  }

  /** Takes over the columns that code of the database's owner reads. */
  readBelow(other: Analysis): void {
    for (const column of other.columns) this.below.add(column);
    for (const column of other.below) this.below.add(column);
  }

  /** Takes over what another analysis found: a prepared statement behind EXECUTE, a function's body. */
  absorb(other: Analysis, indirect: boolean): void {
    for (const verb of other.verbs) this.verbs.add(verb);
    for (const use of other.tables.values()) this.table(use, use.access, indirect ? false : use.direct);
    for (const column of other.columns) this.columns.add(column);
    for (const column of other.below) this.below.add(column);
    if (other.bulk) this.bulk = true;
    for (const name of other.functions) this.functions.add(name);
    this.unbounded.push(...other.unbounded);
    this.stores.push(...other.stores);
    for (const fact of other.opaque) this.unreadable(fact.kind, fact.name, fact.why, undefined, fact.missing);
    for (const door of other.sideDoors) this.sideDoor(door.name, door.why);
    this.settings.push(...other.settings);
    this.forbidden ??= other.forbidden;
    if (other.literalSensitive) this.literalSensitive = true;
    if (other.boundSensitive) this.boundSensitive = true;
    if (other.barrier) this.barrier = true;
    if (other.missed) this.missed = true;
    this.missedNames.push(...other.missedNames);
    this.effects.push(...other.effects);
    this.storedLiterals.push(...other.storedLiterals);
  }
}

export type UseFact = UseNote<Column>;

export interface FlowFact {
  readonly from: Sources;
  readonly into: Extract<Flow['into'], { kind: 'place' }> | { readonly kind: 'column'; readonly column: Column };
}

export interface OpaqueFact {
  readonly kind: Opaque['kind'];
  readonly name: string;
  readonly why: string;
  readonly offset: number | undefined;
  readonly missing: Opaque['missing'];
}

export type { Output };
