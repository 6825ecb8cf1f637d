// Puts the sample shop into an empty database.
import type { Client } from 'pg';
import { copyIn } from './copy.ts';
import { constraints, type ShopSize, schema, shopTables } from './shop.ts';

/** Called with the rows loaded so far of all tables, and the table in hand. */
export type LoadProgress = (table: string, rows: number, total: number) => void;

/** Makes the tables, loads every row from the seed, then adds keys and indexes. Gives the count of rows. */
export async function loadShop(client: Client, size: ShopSize, progress: LoadProgress = () => {}): Promise<number> {
  const tables = shopTables(size);
  const total = tables.reduce((sum, { count }) => sum + count, 0);
  await client.query(schema);
  let before = 0;
  for (const table of tables) {
    await copyIn(client, table.name, table.rows(), (rows) => progress(table.name, before + rows, total));
    before += table.count;
  }
  progress('keys and indexes', total, total);
  await client.query(constraints);
  return total;
}
