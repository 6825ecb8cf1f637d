// Who is asked what a statement would cost: the planner of a target, on a few connections of the gateway's own that are kept open.
import mysql from 'mysql2/promise';
import pg from 'pg';
import type { Estimate } from '../../approvals/index.ts';
import type { Reading } from '../../sql/index.ts';
import { type Explained, estimateOn, isExplainable } from '../estimate.ts';
import { estimateOnMysql, isExplainableMysql } from '../estimate-mysql.ts';

export interface Planner {
  /** Whether it can be asked about such a statement at all. */
  asks(reading: Reading): boolean;
  /** Rejects where it cannot be asked. */
  ask(explained: Explained): Promise<Estimate>;
  close(): Promise<void>;
}

const timeoutMs = 1500;
const mostConnections = 4;
const idleMs = 30_000;

/** The planner of a Postgres target. */
export function postgresPlanner(connect: pg.ClientConfig): Planner {
  const pool = new pg.Pool({
    ...connect,
    application_name: 'sallyport:explain',
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs,
    max: mostConnections,
    idleTimeoutMillis: idleMs,
  });
  pool.on('error', () => undefined);
  return {
    asks: isExplainable,
    async ask(explained) {
      const client = await pool.connect();
      let broken = true;
      try {
        const estimate = await estimateOn(client, explained);
        await client.query('rollback');
        broken = false;
        return estimate;
      } finally {
        client.release(broken);
      }
    },
    close: () => pool.end(),
  };
}

/** The planner of a MySQL or MariaDB target. */
export function mysqlPlanner(connect: mysql.ConnectionOptions): Planner {
  const pool = mysql.createPool({
    ...connect,
    connectTimeout: timeoutMs,
    connectionLimit: mostConnections,
    // More at once than these wait in vain: they pass, as with a planner that cannot be reached.
    queueLimit: 100,
    maxIdle: 1,
    idleTimeout: idleMs,
  });
  return {
    asks: isExplainableMysql,
    async ask(explained) {
      const connection = await pool.getConnection();
      let broken = true;
      try {
        const estimate = await estimateOnMysql(connection, explained);
        await connection.query('ROLLBACK');
        broken = false;
        return estimate;
      } finally {
        if (broken) connection.destroy();
        else connection.release();
      }
    },
    close: () => pool.end(),
  };
}
