// The demo's second database: a small CRM on a MariaDB or MySQL server of the machine, behind the same door.
import mysql from 'mysql2/promise';
import { BrokenPromise } from './broken-promise.ts';
import { type MariadbServer, startMariadb } from './mariadb-server.ts';
import type { Show } from './show.ts';

const contacts = 1000;
const contact = 471;

/** Starts a server and fills its database `crm`; the gateway's own login is the owner's. */
export async function startCrm(): Promise<MariadbServer> {
  const server = await startMariadb();
  const owner = await mysql.createConnection({ uri: server.url(), multipleStatements: true });
  try {
    await owner.query(`
      CREATE DATABASE crm CHARACTER SET utf8mb4;
      USE crm;
      CREATE TABLE contacts (id INT PRIMARY KEY, name VARCHAR(60), email VARCHAR(80), card_number VARCHAR(16), city VARCHAR(40))`);
    const rows = Array.from({ length: contacts }, (_, at) => row(at + 1));
    await owner.query('INSERT INTO contacts VALUES ?', [rows]);
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  } finally {
    await owner.end();
  }
}

/** The same each time, so that the demo can say what it shows. */
function row(id: number): readonly (string | number)[] {
  const given = ['Ada', 'Bela', 'Chris', 'Dana', 'Emil', 'Fina', 'Georg'][id % 7] ?? '';
  const family = ['Marsh', 'Noble', 'Otto', 'Perez', 'Quinn'][id % 5] ?? '';
  const email = `${given}.${family}.${id}@example.com`.toLowerCase();
  const city = ['Aarhus', 'Bergen', 'Cork', 'Delft'][id % 4] ?? '';
  return [
    id,
    `${given} ${family}`,
    email,
    `4000${String(id * 7_919_993)
      .padStart(12, '0')
      .slice(0, 12)}`,
    city,
  ];
}

export interface CrmStage {
  readonly show: Show;
  readonly server: MariadbServer;
  readonly gateway: { readonly host: string; readonly port: number };
  /** The agent's token: its password here too. */
  readonly token: string;
}

/** The same agent with a stock MySQL driver; resolves only when everything happened. */
export async function playCrm({ show, server, gateway, token }: CrmStage): Promise<void> {
  show.line();
  show.line(`  ${show.style('bold', '7  The same door before MySQL')}`);
  const sql = 'SELECT name, email, card_number AS remark, city FROM contacts WHERE id = ?';
  show.line(`     ${sql.replace('?', String(contact))}`);
  const [direct, agent] = [
    await mysql.createConnection({ uri: server.url('crm') }),
    await mysql.createConnection({ ...gateway, user: 'agent', password: token, database: 'crm' }),
  ];
  try {
    const held = await firstRow(direct, sql);
    const got = await firstRow(agent, sql);
    show.table(
      [
        ['', 'what the agent got', 'what the table holds'],
        ...Object.keys(held).map((name) => [name, got[name] ?? '', held[name] ?? '']),
      ],
      ['dim', 'cyan', 'dim'],
    );
    for (const name of ['email', 'remark'])
      if (got[name] === held[name]) throw new BrokenPromise(`${name} was not masked`);
    for (const name of ['name', 'city'])
      if (got[name] !== held[name]) throw new BrokenPromise(`${name} was changed on the way`);
    const refused = await agent.query('DROP TABLE contacts').then(
      () => undefined,
      (error: Error & { errno?: number; sqlState?: string }) => error,
    );
    if (refused?.errno !== 1142 || !refused.message.includes('no-drops'))
      throw new BrokenPromise('DROP TABLE contacts was not refused by rule "no-drops"');
    show.line('     DROP TABLE contacts');
    show.line(`     ${show.style('red', `ERROR ${refused.errno} (${refused.sqlState})`)} ${refused.message}`);
  } finally {
    await agent.end();
    await direct.end();
  }
}

async function firstRow(connection: mysql.Connection, sql: string): Promise<Readonly<Record<string, string>>> {
  const [rows] = await connection.execute<mysql.RowDataPacket[]>(sql, [contact]);
  return Object.fromEntries(Object.entries(rows[0] ?? {}).map(([name, value]) => [name, String(value)]));
}
