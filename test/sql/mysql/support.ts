// A target with tables, views, programs and a session on it, for tests of the MySQL reading against a real server.
import mysql from 'mysql2/promise';
import { afterAll, beforeAll } from 'vitest';
import {
  createMysqlReader,
  type Reading,
  type ReadResult,
  type SqlReader,
  type SqlSession,
} from '../../../src/sql/index.ts';
import { mariadbDatabase } from '../../support/mariadb.ts';

const statements = [
  `create table customers (id int primary key auto_increment, name varchar(60) not null, email varchar(80), ssn varchar(11),
    card_number varchar(19), dob date, salary decimal(10,2), city varchar(40), profile json, created_at datetime)`,
  `create table orders (id int primary key auto_increment, customer_id int not null, total decimal(10,2), status varchar(20),
    note text, created_at datetime)`,
  'create table vault (id int primary key, ssn varchar(11))',
  'create table archive (id int, value text)',
  'create view people as select id, name, ssn as number, upper(ssn) as loud from customers',
  'create view cities as select city, count(*) as many from customers group by city',
  `create function last_four(x varchar(11)) returns varchar(11) deterministic return right(x, 4)`,
  'create procedure wipe() begin delete from orders; end',
  `create trigger log_orders after insert on orders for each row insert into archive values (new.id, new.status)`,
  `insert into customers (id, name, email, ssn, card_number, dob, salary, city, profile) values
    (1, 'Ada', 'ada@example.com', '123-45-6789', '4929771603428851', '1990-01-01', 100.5, 'Bern', '{"a":1}'),
    (2, 'Ben', 'ben@example.com', '987-65-4321', '5593048172650914', '1980-02-02', 200.5, 'Genf', '{"a":2}')`,
  'insert into orders (customer_id, total, status) values (1, 10, "new"), (2, 20, "old")',
];

export interface Shop {
  readonly reader: SqlReader;
  readonly database: string;
  /** A connection to the server itself. */
  readonly direct: mysql.Connection;
  session(): SqlSession;
  /** Reads a text in a session of its own. */
  read(text: string): Promise<ReadResult>;
  /** The reading of a text that is one statement. */
  reading(text: string): Promise<Reading>;
}

/** A shop in a database of its own; call the result inside tests. */
export function shop(...more: readonly string[]): () => Shop {
  const server = mariadbDatabase(...statements, ...more);
  let made: Shop | undefined;
  beforeAll(async () => {
    const { host, port, user, password, database } = server();
    const connect = { host, port, user, password, database };
    const reader = await createMysqlReader({ connect, trustedFunctions: [], refreshIntervalMs: 0 });
    const direct = await mysql.createConnection({ ...connect, multipleStatements: true });
    const read = async (text: string) => reader.session(new Map()).read(text);
    made = {
      reader,
      database,
      direct,
      session: () => reader.session(new Map()),
      read,
      async reading(text) {
        const result = await read(text);
        const [first] = result.kind === 'read' ? result.statements : [];
        if (first === undefined) throw new Error(`${text} is ${result.kind === 'read' ? 'empty' : result.message}`);
        return first.reading;
      },
    };
  });
  afterAll(async () => {
    await made?.direct.end();
    await made?.reader.close();
  });
  return () => {
    if (made === undefined) throw new Error('the shop is made in beforeAll');
    return made;
  };
}

/** An output's sources as `how column`. */
export function sources(reading: Reading, index: number): string[] {
  return (reading.outputs?.[index]?.sources ?? []).map((source) => `${source.how} ${source.table}.${source.column}`);
}
