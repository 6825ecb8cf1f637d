// A target's catalog as plain objects: tables with their columns, views by definition, routines and triggers with their bodies.

export interface Column {
  readonly table: Table;
  readonly name: string;
  /** Wire type byte (Protocol::ColumnType); 0 where not known. */
  readonly type: number;
  readonly notNull: boolean;
  /** Its type as the server writes it, with the collation of a text; left out where not known. */
  readonly declared?: string;
}

export interface Table {
  readonly schema: string;
  readonly name: string;
  kind: 'table' | 'view';
  readonly columns: Column[];
  /** Views: the query with qualified names. */
  definition: string | undefined;
  readonly triggers: Trigger[];
}

export interface Trigger {
  readonly name: string;
  readonly table: Table;
  readonly event: 'insert' | 'update' | 'delete';
  readonly body: string;
}

export interface Routine {
  readonly schema: string;
  readonly name: string;
  readonly kind: 'function' | 'procedure';
  /** Undefined where the gateway's own user may not see it. */
  readonly body: string | undefined;
}

export class Catalog {
  /** lower_case_table_names is not 0: names of tables and databases are compared without case. */
  readonly foldsNames: boolean;
  version = '';
  sqlMode = '';
  readonly tables = new Map<string, Table>();
  readonly schemaNames = new Map<string, string>();
  /** Changes with the content. */
  digest = '';
  readonly routines = new Map<string, Routine>();

  constructor(foldsNames: boolean) {
    this.foldsNames = foldsNames;
  }

  key(name: string): string {
    return this.foldsNames ? name.toLowerCase() : name;
  }

  /** information_schema answers to its name in any case. */
  private schemaKey(name: string): string {
    return name.toLowerCase() === 'information_schema' ? 'information_schema' : this.key(name);
  }

  /** One key for all spellings of a table's name. */
  tableKey(schema: string, name: string): string {
    const key = this.schemaKey(schema);
    return `${key}\0${key === 'information_schema' ? name.toLowerCase() : this.key(name)}`;
  }

  addTable(schema: string, name: string, kind: Table['kind']): Table {
    const table: Table = { schema, name, kind, columns: [], definition: undefined, triggers: [] };
    this.tables.set(this.tableKey(schema, name), table);
    this.schemaNames.set(this.schemaKey(schema), schema);
    return table;
  }

  removeTable(schema: string, name: string): void {
    this.tables.delete(this.tableKey(schema, name));
  }

  table(schema: string, name: string): Table | undefined {
    return this.tables.get(this.tableKey(schema, name));
  }

  /** A database's name as the server spells it. */
  schemaName(name: string): string {
    return this.schemaNames.get(this.schemaKey(name)) ?? name;
  }

  addRoutine(routine: Routine): void {
    this.routines.set(`${routine.kind} ${this.key(routine.schema)}.${routine.name.toLowerCase()}`, routine);
  }

  routine(kind: Routine['kind'], schema: string, name: string): Routine | undefined {
    return this.routines.get(`${kind} ${this.key(schema)}.${name.toLowerCase()}`);
  }
}

/** Wire types by DATA_TYPE of information_schema.columns. */
const wireTypes: Readonly<Record<string, number>> = {
  decimal: 246,
  tinyint: 1,
  smallint: 2,
  int: 3,
  integer: 3,
  float: 4,
  double: 5,
  timestamp: 7,
  bigint: 8,
  mediumint: 9,
  date: 10,
  time: 11,
  datetime: 12,
  year: 13,
  bit: 16,
  json: 245,
  enum: 254,
  set: 254,
  tinyblob: 252,
  mediumblob: 252,
  longblob: 252,
  blob: 252,
  tinytext: 252,
  mediumtext: 252,
  longtext: 252,
  text: 252,
  varchar: 253,
  varbinary: 253,
  char: 254,
  binary: 254,
  geometry: 255,
  uuid: 254,
  inet4: 254,
  inet6: 254,
};

export function wireType(dataType: string): number {
  return wireTypes[dataType.toLowerCase()] ?? (/point|line|polygon|geom/i.test(dataType) ? 255 : 0);
}

/** Types that the server compares with a number by converting them: '123-45' = 123 is true. */
export function isText(type: number): boolean {
  return type === 0 || (type >= 249 && type <= 255) || type === 245 || type === 15 || type === 247 || type === 248;
}
