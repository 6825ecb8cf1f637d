// What of a server and a session decides how text is read: product, version, sql_mode, connection character set.

/** Server and session facts the lexical pass and the grammar follow. */
export interface Dialect {
  readonly mariadb: boolean;
  /** As in MYSQL_VERSION_ID: 80036, 101119. */
  readonly version: number;
  readonly ansiQuotes: boolean;
  readonly noBackslashEscapes: boolean;
  readonly pipesAsConcat: boolean;
  readonly ignoreSpace: boolean;
  readonly highNotPrecedence: boolean;
  /** sql_mode=ORACLE changes the grammar itself; such a session is not read. */
  readonly oracle: boolean;
}

export const plainDialect: Dialect = {
  mariadb: false,
  version: 80036,
  ansiQuotes: false,
  noBackslashEscapes: false,
  pipesAsConcat: false,
  ignoreSpace: false,
  highNotPrecedence: false,
  oracle: false,
};

/** Reads `SELECT VERSION()` as servers report it: `8.0.36`, `10.11.6-MariaDB-0+deb12u1`, `5.5.5-10.11.6-MariaDB`. */
export function withVersion(dialect: Dialect, version: string): Dialect {
  const mariadb = /mariadb/i.test(version);
  // Old MariaDB servers put 5.5.5- in front so that replication clients of that time would not be confused.
  const match = /(\d+)\.(\d+)\.(\d+)/.exec(mariadb ? version.replace(/^5\.5\.5-/, '') : version);
  if (match === null) return dialect;
  return { ...dialect, mariadb, version: Number(match[1]) * 10_000 + Number(match[2]) * 100 + Number(match[3]) };
}

/** Modes that stand for others (sql_mode, "Combination SQL Modes"): ANSI and the names of other products. */
const ansiLike = ['REAL_AS_FLOAT', 'PIPES_AS_CONCAT', 'ANSI_QUOTES', 'IGNORE_SPACE'];
const combined: ReadonlyMap<string, readonly string[]> = new Map([
  ['ANSI', ansiLike],
  ['DB2', ansiLike],
  ['MAXDB', ansiLike],
  ['MSSQL', ansiLike],
  ['POSTGRESQL', ansiLike],
  ['ORACLE', ansiLike],
  ['MYSQL323', ['HIGH_NOT_PRECEDENCE']],
  ['MYSQL40', ['HIGH_NOT_PRECEDENCE']],
]);

/** Applies a sql_mode value; undefined where it holds a mode by number or something else that is not a list of names. */
export function withSqlMode(dialect: Dialect, value: string): Dialect | undefined {
  if (!/^[\w\s,]*$/.test(value) || /^\s*\d/.test(value)) return undefined;
  const modes = new Set<string>();
  for (const part of value.split(',')) {
    const name = part.trim().toUpperCase();
    if (/\s/.test(name)) return undefined;
    modes.add(name);
    for (const each of combined.get(name) ?? []) modes.add(each);
  }
  return {
    ...dialect,
    ansiQuotes: modes.has('ANSI_QUOTES'),
    noBackslashEscapes: modes.has('NO_BACKSLASH_ESCAPES'),
    pipesAsConcat: modes.has('PIPES_AS_CONCAT'),
    ignoreSpace: modes.has('IGNORE_SPACE'),
    highNotPrecedence: modes.has('HIGH_NOT_PRECEDENCE'),
    oracle: dialect.mariadb && modes.has('ORACLE'),
  };
}

/** Whether texts are read in the same way under both. */
export function sameDialect(one: Dialect, other: Dialect): boolean {
  return one === other || (Object.keys(one) as (keyof Dialect)[]).every((key) => one[key] === other[key]);
}

/** Client character sets in which a byte below 0x80 is always the ASCII character it looks like. */
const safeCharsets: ReadonlySet<string> = new Set([
  'utf8',
  'utf8mb3',
  'utf8mb4',
  'ascii',
  'binary',
  'latin1',
  'latin2',
  'latin5',
  'latin7',
  'cp1250',
  'cp1251',
  'cp1256',
  'cp1257',
  'cp850',
  'cp852',
  'cp866',
  'dec8',
  'greek',
  'hebrew',
  'hp8',
  'keybcs2',
  'koi8r',
  'koi8u',
  'macce',
  'macroman',
  'armscii8',
  'geostd8',
  'tis620',
  // Two-byte sets whose second byte is never a quote or a backslash (strings/ctype-*.c: is*tail above 0xA0).
  'gb2312',
  'euckr',
  'ujis',
  'eucjpms',
]);

/** Character sets a client may speak through the gateway, which turns texts into characters itself. */
export const clientCharsets: ReadonlySet<string> = new Set(['utf8', 'utf8mb3', 'utf8mb4', 'latin1', 'ascii', 'binary']);

/** What stands after an underscore as a charset introducer. */
export const introducers: ReadonlySet<string> = new Set([
  ...safeCharsets,
  'big5',
  'cp932',
  'gb18030',
  'gbk',
  'sjis',
  'swe7',
  'ucs2',
  'utf16',
  'utf16le',
  'utf32',
]);
