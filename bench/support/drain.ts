// The client of the benchmarks, in a process of its own: told over IPC what to run, it answers with what came back.
import { type DrainClient, drainClient, type Login } from './drain-client.ts';
import { mysqlDrainClient } from './mysql-drain.ts';

export type Order =
  | { readonly kind: 'login'; readonly login: Login; readonly dialect?: 'postgres' | 'mysql' }
  | {
      readonly kind: 'drain';
      readonly sql: string;
      readonly format: 'text' | 'binary';
      readonly bytesPerSecond: number | undefined;
    };

let client: DrainClient | undefined;

process.on('message', async (order: Order) => {
  try {
    if (order.kind === 'login') {
      client = await (order.dialect === 'mysql' ? mysqlDrainClient : drainClient)(order.login);
      process.send?.({ rows: 0, bytes: 0, seconds: 0 });
    } else process.send?.(await client?.drain(order.sql, order.format, order.bytesPerSecond));
  } catch (error) {
    process.send?.({ error: error instanceof Error ? error.message : String(error) });
  }
});
process.on('disconnect', () => process.exit());
