// The control database through one small pool, and one more connection for signals.
import pg from 'pg';
import { migrate } from './migrate.ts';
import { Signals } from './signals.ts';
import type { Queries, Store } from './types.ts';

export interface StoreOptions {
  /** A connection URL, password included. */
  readonly url: string;
  /** Most connections at once, beside the one for signals. */
  readonly connections?: number;
  /** Trouble with the connection that no caller waits for. */
  readonly log?: (message: string, cause: unknown) => void;
}

/** Connects and brings the schema up to date. Rejects when the database cannot be reached or changed. */
export async function connectStore(options: StoreOptions): Promise<Store> {
  const log = options.log ?? (() => undefined);
  const settings = {
    connectionString: options.url,
    application_name: 'sallyport:store',
    connectionTimeoutMillis: 10_000,
  };
  const pool = new pg.Pool({ ...settings, max: options.connections ?? 8 });
  let closing = false;
  pool.on('error', (cause) => !closing && log('a connection to the store was lost', cause));
  try {
    await migrate(pool);
  } catch (cause) {
    await pool.end();
    throw cause;
  }
  const signals = new Signals(() => new pg.Client({ ...settings, keepAlive: true }), log);
  return {
    query: (text, values) => queriesOn(pool).query(text, values),
    async transaction(run) {
      const client = await pool.connect();
      let broken: Error | undefined;
      try {
        await client.query('begin');
        const result = await run(queriesOn(client));
        await client.query('commit');
        return result;
      } catch (cause) {
        await client.query('rollback').catch((second: Error) => {
          broken = second;
        });
        throw cause;
      } finally {
        client.release(broken);
      }
    },
    listen: (channel, heard) => signals.listen(channel, heard),
    async notify(channel, payload) {
      await pool.query('select pg_notify($1, $2)', [channel, payload]);
    },
    async close() {
      closing = true;
      await signals.close();
      await pool.end();
    },
  };
}

function queriesOn(client: pg.Pool | pg.PoolClient): Queries {
  return {
    async query<Row extends object>(text: string, values: readonly unknown[] = []) {
      const { rows } = await client.query<Row>(text, [...values]);
      return rows;
    },
  };
}
