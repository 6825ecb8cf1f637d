// Brings the control database's schema up to date, once, however many gateways start at the same moment.
import type pg from 'pg';
import { migrations } from './migrations/index.ts';

/** Any number will do as long as it is always this one ("sally" in ASCII). */
const lock = 0x73616c6c79;

/** Applies what is missing, each step in a transaction of its own. */
export async function migrate(pool: pg.Pool, steps = migrations): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('select pg_advisory_lock($1)', [lock]);
    try {
      await client.query('create schema if not exists sallyport');
      await client.query(
        'create table if not exists sallyport.migrations (name text primary key, applied timestamptz not null default now())',
      );
      const { rows } = await client.query<{ name: string }>('select name from sallyport.migrations');
      const applied = new Set(rows.map(({ name }) => name));
      for (const { name, sql } of steps) {
        if (applied.has(name)) continue;
        await client.query('begin');
        try {
          await client.query(sql);
          await client.query('insert into sallyport.migrations (name) values ($1)', [name]);
          await client.query('commit');
        } catch (cause) {
          await client.query('rollback');
          throw cause;
        }
      }
    } finally {
      await client.query('select pg_advisory_unlock($1)', [lock]);
    }
  } finally {
    client.release();
  }
}
