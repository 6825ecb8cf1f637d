// What one reading collects while its tree is walked, and what it may look at.

import type { UseNote } from '../facts.ts';
import type {
  Flow,
  Opaque,
  SideDoor,
  StoredValue,
  TableName,
  TableUse,
  UnboundedWrite,
  UseKind,
  Verb,
} from '../reading.ts';
import type { Catalog, Column, Routine, Table } from './catalog.ts';
import type { Token } from './lexer.ts';
import type { Dialect } from './modes.ts';
import { chosen, copied, type Field, reveals, type Sources, type Value, type ValueKind } from './value.ts';

/** What a user variable may hold. */
export interface VariableFact {
  readonly sources: Sources;
  readonly kind: ValueKind;
}

/** A table that only this session sees, with what its columns were made of. */
export interface LocalTable {
  readonly table: Table;
  readonly fields: readonly Field[];
}

export interface PreparedText {
  readonly text: string;
  /** The text is read by the modes that held when it was prepared. */
  readonly dialect: Dialect;
}

/** A session as far as readings depend on it; never changed, replaced. */
export interface State {
  readonly dialect: Dialect;
  /** The database that unqualified names belong to; empty where none is selected. */
  readonly database: string;
  /** Temporary tables by catalog key of `schema.name`; they hide tables of that name. */
  readonly temporary: ReadonlyMap<string, LocalTable>;
  /** Texts behind names of PREPARE. */
  readonly prepared: ReadonlyMap<string, PreparedText>;
  readonly variables: ReadonlyMap<string, VariableFact>;
  /** Tables behind names of HANDLER ... OPEN. */
  readonly handlers: ReadonlyMap<string, readonly string[]>;
  /** Columns the last statement read: its warnings may quote them. */
  readonly last: Sources;
}

export type Effect = (state: State) => State;

export type UseFact = UseNote<Column>;

export interface FlowFact {
  readonly from: Sources;
  readonly into: Extract<Flow['into'], { kind: 'place' }> | { readonly kind: 'column'; readonly column: Column };
}

export interface StoreFact {
  readonly column: Column;
  readonly token: Token;
  readonly value: StoredValue['value'];
}

type OpaqueFact = Omit<Opaque, 'position'> & { readonly offset: number | undefined };

export class TooDeep extends Error {}

const maxDepth = 800;

export class Analysis {
  readonly catalog: Catalog;
  readonly state: State;
  readonly verbs = new Set<Verb>();
  readonly tables = new Map<string, TableUse>();
  readonly columns = new Set<Column>();
  readonly functions = new Set<string>();
  readonly unbounded: UnboundedWrite[] = [];
  readonly uses: UseFact[] = [];
  readonly flows: FlowFact[] = [];
  readonly stores: StoreFact[] = [];
  readonly opaque: OpaqueFact[] = [];
  readonly sideDoors: SideDoor[] = [];
  readonly settings: { name: string; value: string | undefined }[] = [];
  forbidden: { rule: string; message: string; hint: string } | undefined;
  outputs: readonly Field[] | undefined;
  /** The server decides how many columns there are; the single output stands for each of them. */
  anyColumns = false;
  summary = '';
  /** The reading holds for these literals only. */
  literalSensitive = false;
  /** Whether a write is bounded holds for these literals only. */
  boundSensitive = false;
  /** The reading holds for this state of the session only. */
  stateful = false;
  /** What of the session differs afterwards, in order. */
  readonly effects: Effect[] = [];
  barrier = false;
  /** Tables, views or routines differ afterwards. */
  changesCatalog = false;
  missed = false;
  readonly missedNames: string[] = [];
  /** The statement assigns user variables: what it reads of them changes from row to row. */
  assignsVariables = false;
  /** Over 0 inside views, routines and triggers: names there are not the client's. */
  inside = 0;
  /** The database that unqualified names belong to here. */
  database: string;
  depth = 0;
  /** Views and routines being read, against endless recursion. */
  readonly running: Set<Table | Routine | string>;
  /** Which parameter each marker is. */
  parameters: ReadonlyMap<Token, number> = new Map();
  /** Values of parameters, where EXECUTE gives them. */
  given: readonly Value[] | undefined;

  constructor(catalog: Catalog, state: State, running = new Set<Table | Routine | string>()) {
    this.catalog = catalog;
    this.state = state;
    this.database = state.database;
    this.running = running;
  }

  enter(): void {
    if (++this.depth > maxDepth) throw new TooDeep();
  }

  leave(): void {
    this.depth--;
  }

  table(name: TableName, access: TableUse['access'], direct = this.inside === 0): void {
    const key = `${access} ${name.schema}.${name.table}`;
    const known = this.tables.get(key);
    if (known === undefined || (direct && !known.direct))
      this.tables.set(key, { schema: name.schema, table: name.table, access, direct });
  }

  note(sources: Sources): void {
    for (const [column, how] of sources) if (how !== chosen) this.columns.add(column);
  }

  use(value: Value, how: UseKind, offset?: number): void {
    for (const [column, kind] of value.sources) {
      if (kind === chosen) continue;
      this.uses.push({ column, how: kind === copied || how !== 'equality' ? how : 'computed', offset });
    }
  }

  flow(sources: Sources, into: FlowFact['into']): void {
    if (reveals(sources)) this.flows.push({ from: sources, into });
  }

  unread(kind: Opaque['kind'], name: string, why: string, offset?: number, missing?: Opaque['missing']): void {
    if (this.opaque.some((known) => known.kind === kind && known.name === name && known.why === why)) return;
    const where = this.inside === 0 ? offset : undefined;
    this.opaque.push({ kind, name, why, offset: where, ...(missing === undefined ? {} : { missing }) });
  }

  sideDoor(name: string, why: string): void {
    if (!this.sideDoors.some((door) => door.name === name)) this.sideDoors.push({ name, why });
  }

  forbid(rule: string, message: string, hint: string): void {
    this.forbidden ??= { rule, message, hint };
  }

  effect(effect: Effect): void {
    this.effects.push(effect);
    this.barrier = true;
    this.stateful = true;
  }

  /** Takes over what a view reads: its tables, functions and what cannot be seen through. Its own conditions are no use of ours. */
  absorbBelow(other: Analysis): void {
    for (const verb of other.verbs) this.verbs.add(verb);
    for (const use of other.tables.values()) this.table(use, use.access, false);
    for (const name of other.functions) this.functions.add(name);
    for (const fact of other.opaque) this.unread(fact.kind, fact.name, fact.why);
    for (const door of other.sideDoors) this.sideDoor(door.name, door.why);
    this.missed ||= other.missed;
  }

  /** Takes over all that another analysis found: a prepared text behind EXECUTE, a trigger's body. */
  absorb(other: Analysis, direct: boolean): void {
    this.absorbBelow(other);
    if (direct) for (const use of other.tables.values()) this.table(use, use.access, use.direct);
    for (const column of other.columns) this.columns.add(column);
    this.unbounded.push(...other.unbounded);
    this.uses.push(...other.uses.map((use) => ({ ...use, offset: undefined })));
    this.flows.push(...other.flows);
    for (const fact of other.opaque) this.unread(fact.kind, fact.name, fact.why, undefined, fact.missing);
    this.settings.push(...other.settings);
    this.forbidden ??= other.forbidden;
    this.missedNames.push(...other.missedNames);
    this.barrier ||= other.barrier;
    this.changesCatalog ||= other.changesCatalog;
  }
}
