// The scripted agent: what one session asks, what came of it, and whether that is what the demo promises.
import type pg from 'pg';
import type { AuditRecord, StatementRecord } from '../audit/record.ts';
import { BrokenPromise } from './broken-promise.ts';
import type { ServerLog } from './server-log.ts';
import type { Show } from './show.ts';

export interface AgentStage {
  readonly show: Show;
  /** The agent's connection, through the gateway. */
  readonly agent: pg.Client;
  /** A connection past the gateway, to show what the table holds. */
  readonly direct: pg.Client;
  readonly log: ServerLog;
  /** The records written so far, oldest first. */
  readonly records: () => Promise<readonly AuditRecord[]>;
  readonly customer: number;
}

const columns = ['id', 'name', 'email', 'ssn', 'card_number', 'phone', 'birth_date', 'address'] as const;
const masked: readonly string[] = ['email', 'ssn', 'card_number', 'phone', 'birth_date', 'address'];

type Row = Readonly<Record<string, unknown>>;

/** Plays the whole script; resolves only when every step happened. */
export async function playAgent(stage: AgentStage): Promise<void> {
  const secrets = await readsCustomer(stage);
  await isRefused(stage, 2, 'It tries to drop a table', 'DROP TABLE order_items', 'no-drops', 'order_items');
  await isRefused(stage, 3, 'It deletes without WHERE', 'DELETE FROM orders', 'no-unbounded-writes', 'orders');
  await triesToGetAround(stage, secrets);
  const tag = await showsTag(stage);
  await showsRecords(stage, secrets, tag);
}

async function readsCustomer({ show, agent, direct, customer }: AgentStage): Promise<readonly string[]> {
  const sql = `SELECT ${columns.join(', ')} FROM customers WHERE id = $1`;
  title(show, 1, 'It reads a customer', sql.replace('$1', String(customer)));
  const held = textRow((await direct.query(sql, [customer])).rows[0] as Row);
  const got = textRow((await agent.query(sql, [customer])).rows[0] as Row);
  show.table(
    [
      ['', 'what the agent got', 'what the table holds'],
      ...columns.map((name) => [name, got[name] ?? '', held[name] ?? '']),
    ],
    ['dim', 'cyan', 'dim'],
  );
  for (const name of columns) {
    const same = got[name] === held[name];
    if (masked.includes(name) && same) throw new BrokenPromise(`${name} was not masked`);
    if (!masked.includes(name) && !same) throw new BrokenPromise(`${name} was changed on the way`);
  }
  const { street } = JSON.parse(held.address ?? '{}') as { street: string };
  return [held.email, held.ssn, held.card_number, held.phone, held.birth_date, street].map(String);
}

async function isRefused(
  { show, agent, direct }: AgentStage,
  number: number,
  what: string,
  sql: string,
  rule: string,
  table: string,
) {
  title(show, number, what, sql);
  const rows = async () => (await direct.query(`select count(*)::int as count from ${table}`)).rows[0].count as number;
  const before = await rows();
  const error = await refusal(agent, sql);
  if (error === undefined) throw new BrokenPromise(`${sql} was not refused`);
  showRefusal(show, error);
  if (error.code !== '42501' || !error.message.includes(rule))
    throw new BrokenPromise(`${sql} was refused, but not by rule "${rule}"`);
  const after = await rows();
  if (after !== before) throw new BrokenPromise(`${table} has lost rows`);
  show.line(
    `     ${show.style('dim', `${table} still holds its ${after.toLocaleString('en-US')} rows, and the session goes on`)}`,
  );
}

/** Ways by which masks that go by a column's name, or by its look, are got round. */
const detours: readonly (readonly [sql: string, name: string])[] = [
  ['SELECT ssn AS remark FROM customers WHERE id = $1', 'an alias'],
  ["SELECT reverse(ssn) || '' AS remark FROM customers WHERE id = $1", 'an expression'],
  ['SELECT row_to_json(c) AS remark FROM customers c WHERE id = $1', 'the whole row as JSON'],
  ['WITH t AS (SELECT * FROM customers) SELECT upper(email) AS remark FROM t WHERE id = $1', 'a CTE'],
  ['SELECT phone AS remark FROM customer_contacts WHERE id = $1', 'a view'],
];

async function triesToGetAround({ show, agent, direct, customer }: AgentStage, secrets: readonly string[]) {
  title(show, 4, 'It tries to get round the masks');
  const lines: string[][] = [];
  for (const [sql, name] of detours) {
    const bare = first((await direct.query(sql, [customer])).rows);
    let got: string;
    try {
      got = first((await agent.query(sql, [customer])).rows);
    } catch (error) {
      if ((error as pg.DatabaseError).code !== '42501') throw error;
      got = `refused: ${(error as Error).message.replace('sallyport: ', '')}`;
    }
    if (!secrets.some((secret) => reveals(bare, secret)))
      throw new BrokenPromise(`${name} shows nothing on the bare server`);
    const leak = secrets.find((secret) => reveals(got, secret));
    if (leak !== undefined || got === bare) throw new BrokenPromise(`${name} gave a masked value away`);
    lines.push([name, sql.replace('$1', String(customer)), clip(got, 60)]);
  }
  for (const [name = '', sql = '', got = ''] of lines) {
    show.line(`     ${show.style('dim', name.padEnd(22))} ${sql}`);
    show.line(`     ${' '.repeat(22)} ${show.style('cyan', got)}`);
  }
}

async function showsTag({ show, agent, log, customer }: AgentStage): Promise<string> {
  title(show, 5, 'What the server saw: who asked, in its own log');
  const sql = 'SELECT status, count(*) FROM orders WHERE customer_id = $1 GROUP BY status';
  await agent.query(sql, [customer]);
  const line = await log.find([sql, '/*', 'identity=']);
  if (line === undefined) throw new BrokenPromise('the tag did not reach the server');
  const record = /record='([^']+)'/.exec(line)?.[1];
  if (record === undefined) throw new BrokenPromise('the tag names no record');
  const [before = '', tag = ''] = line.slice(line.indexOf('SELECT')).split(/ ?(?=\/\*)/);
  show.line(`     ${before}`);
  for (const part of wrap(tag, 100)) show.line(`     ${show.style('yellow', part)}`);
  return decodeURIComponent(record);
}

async function showsRecords({ show, records }: AgentStage, secrets: readonly string[], tagged: string) {
  title(show, 6, 'The records on disk');
  const all = await records();
  const statements = all.filter((record): record is StatementRecord => record.event === 'statement');
  if (!statements.some(({ record }) => record === tagged))
    throw new BrokenPromise('the tag names a record that is not there');
  const denied = statements.filter(({ verdict }) => verdict === 'deny');
  if (!denied.some(({ rule }) => rule === 'no-drops') || !denied.some(({ rule }) => rule === 'no-unbounded-writes'))
    throw new BrokenPromise('a refusal has no record');
  const text = JSON.stringify(all);
  if (secrets.some((secret) => text.includes(secret))) throw new BrokenPromise('a masked value stands in a record');
  const rows = new Map(
    all.flatMap((record) => (record.event === 'settled' ? [[record.record, record.rows] as const] : [])),
  );
  const cells = statements.map((record) => [
    record.time.slice(11, 23),
    record.identity,
    record.verdict,
    record.rule ?? '',
    record.masked.length === 0 ? '' : `${record.masked.length} masked`,
    counted(rows.get(record.record)),
    clip(record.text.replace(/\s+/g, ' '), 50),
  ]);
  show.table(cells, ['dim', undefined, 'bold', undefined, undefined, undefined, 'dim']);
}

async function refusal(agent: pg.Client, sql: string): Promise<pg.DatabaseError | undefined> {
  try {
    await agent.query(sql);
    return undefined;
  } catch (error) {
    return error as pg.DatabaseError;
  }
}

function showRefusal(show: Show, { severity, code, message, hint, detail }: pg.DatabaseError) {
  show.line(`     ${show.style('red', `${severity} ${code}`)} ${message}`);
  if (detail !== undefined) show.line(`     ${show.style('dim', `DETAIL  ${detail}`)}`);
  if (hint !== undefined) show.line(`     ${show.style('dim', `HINT    ${hint}`)}`);
}

function title(show: Show, number: number, what: string, sql?: string) {
  show.line();
  show.line(`  ${show.style('bold', `${number}  ${what}`)}`);
  if (sql !== undefined) show.line(`     ${sql}`);
}

/** Each value as a person reads it. Dates come as `YYYY-MM-DD`. */
function textRow(row: Row | undefined): Readonly<Record<string, string>> {
  if (row === undefined) throw new BrokenPromise('the customer was not found');
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, typeof value === 'string' ? value : toText(value)]),
  );
}

function toText(value: unknown): string {
  if (value === null || value === undefined) return 'NULL';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function first(rows: readonly Row[]): string {
  const row = rows[0];
  if (row === undefined) return '(no rows)';
  const value = Object.values(row)[0];
  return typeof value === 'string' ? value : toText(value);
}

/** True when the text holds the secret as it is, backwards, or in capitals. */
function reveals(text: string, secret: string): boolean {
  const upper = text.toUpperCase();
  const wanted = secret.toUpperCase();
  return upper.includes(wanted) || upper.includes([...wanted].reverse().join(''));
}

function counted(rows: number | undefined): string {
  return rows === undefined ? '' : `${rows} ${rows === 1 ? 'row' : 'rows'}`;
}

function clip(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const part of text.split(/(?<=,)/)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + part.length <= width) lines[lines.length - 1] = last + part;
    else lines.push(part);
  }
  return lines;
}
