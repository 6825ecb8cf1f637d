// What the gateway sets and asks for in a session of the server: its own settings, those in force, and reports of their changes.
import type { Upstream } from '../gate.ts';
import { Reader } from './bytes.ts';
import { capability, command, header, trackedVariables } from './constants.ts';
import { UpstreamProtocolError } from './errors.ts';
import type { Exchange } from './exchange.ts';
import { isMariadb } from './handshake-messages.ts';
import { decodeErr } from './messages.ts';

/** The settings that decide how a statement is read, and that the session is told of. */
const settingNames = [
  'version',
  'sql_mode',
  'character_set_client',
  'character_set_connection',
  'character_set_results',
  'collation_connection',
  'lower_case_table_names',
  'time_zone',
  'autocommit',
];

/** What the gateway sets for its sessions. */
export function preludeOf({ settings, statementTimeoutMs }: Upstream, serverVersion: string): string[] {
  const assignments = [...(settings ?? [])].map(
    ([name, value]) => `\`${name.replaceAll('`', '')}\` = ${literal(value)}`,
  );
  if (statementTimeoutMs !== undefined) {
    // MariaDB has seconds, for all statements; MySQL milliseconds, for SELECT alone.
    assignments.push(
      isMariadb(serverVersion)
        ? `max_statement_time = ${statementTimeoutMs / 1000}`
        : `max_execution_time = ${Math.max(1, Math.round(statementTimeoutMs))}`,
    );
  }
  return assignments.length === 0 ? [] : [`SET ${assignments.join(', ')}`];
}

/** A value as it can stand in SET: numbers as they are, everything else as text that no sql_mode reads otherwise. */
function literal(value: string): string {
  if (/^-?\d+(?:\.\d+)?$/.test(value)) return value;
  return `_utf8mb4 x'${Buffer.from(value).toString('hex')}'`;
}

const settingsQuery = `SELECT ${settingNames.map((name) => `@@${name}`).join(', ')}, DATABASE()`;
const told = [...settingNames, 'database'];

/** Sets the gateway's own settings, asks for those in force and has their changes reported; also after COM_RESET_CONNECTION. */
export async function readSettings(
  exchange: Exchange,
  capabilities: number,
  prelude: readonly string[],
): Promise<{ settings: ReadonlyMap<string, string>; status: number }> {
  for (const statement of prelude) {
    await done(exchange, capabilities, statement, 'the server does not take a setting of the target');
  }
  const tracks = (capabilities & capability.SESSION_TRACK) !== 0;
  const names = tracks ? [...told, trackVariable] : told;
  sendQuery(exchange, tracks ? `${settingsQuery}, @@${trackVariable}` : settingsQuery, capabilities);
  const count = await exchange.read();
  if (count[0] !== names.length) throw new UpstreamProtocolError('the server does not say its settings');
  for (let column = 0; column < names.length; column++) await exchange.read();
  const deprecateEof = (capabilities & capability.DEPRECATE_EOF) !== 0;
  if (!deprecateEof) await exchange.read();
  const row = new Reader(await exchange.read());
  const settings = new Map(names.map((name) => [name, textOrNull(row)]));
  const status = endStatus(await exchange.read(), deprecateEof);
  const reported = settings.get(trackVariable);
  settings.delete(trackVariable);
  if (reported !== undefined) await track(exchange, capabilities, reported);
  return { settings, status };
}

const trackVariable = 'session_track_system_variables';

/** Has the server report changes of what decides how statements are read, beside what it reports anyhow. */
async function track(exchange: Exchange, capabilities: number, reported: string): Promise<void> {
  const names = reported.split(',').map((name) => name.trim().toLowerCase());
  if (names.includes('*')) return;
  // MySQL refuses a list in which a name stands twice.
  const all = new Set([...names.filter((name) => /^[\w.]+$/.test(name)), ...trackedVariables]);
  if (all.size === names.length) return;
  const statement = `SET ${trackVariable} = '${[...all].join(',')}'`;
  await done(exchange, capabilities, statement, 'the server does not report changes of its settings');
}

async function done(exchange: Exchange, capabilities: number, statement: string, fault: string): Promise<void> {
  sendQuery(exchange, statement, capabilities);
  const answer = await exchange.read();
  if (answer[0] === header.OK) return;
  const { code, message } = answer[0] === header.ERR ? decodeErr(answer) : { code: 0, message: '' };
  throw new UpstreamProtocolError(`${fault} (${code}: ${message})`);
}

function endStatus(payload: Buffer, deprecateEof: boolean): number {
  const last = new Reader(payload);
  if (last.int1() !== header.EOF) throw new UpstreamProtocolError('the server does not say its settings');
  if (deprecateEof) {
    last.lenenc();
    last.lenenc();
  } else last.int2();
  return last.int2();
}

function textOrNull(row: Reader): string {
  if (row.bytes[row.at] === 0xfb) {
    row.skip(1);
    return '';
  }
  return row.lenencText();
}

/** COM_QUERY as the session has agreed to it. */
export function sendQuery(exchange: Exchange, text: string, capabilities: number): void {
  exchange.sequence = 0;
  // Where query attributes are agreed on their number stands first: none, in one set.
  const head = (capabilities & capability.QUERY_ATTRIBUTES) === 0 ? [command.QUERY] : [command.QUERY, 0, 1];
  exchange.send(Buffer.concat([Buffer.from(head), Buffer.from(text)]));
}
