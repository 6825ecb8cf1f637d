// What the other rooms see of the control database: queries, transactions, and signals between gateways that share it.

export interface Queries {
  /**
   * Runs one statement with `$1`-style parameters and gives its rows. Tables are named with their schema (`sallyport.grants`).
   * Rejects with the driver's error (`DatabaseError` of pg, with its SQLSTATE in `code`) or when the store cannot be reached.
   */
  query<Row extends object>(text: string, values?: readonly unknown[]): Promise<readonly Row[]>;
}

export interface Store extends Queries {
  /** Commits when `run` resolves, rolls back when it rejects. */
  transaction<T>(run: (queries: Queries) => Promise<T>): Promise<T>;
  /**
   * Calls `heard` for each signal on the channel, from any gateway or command that shares the store, this one included, within a
   * second. With undefined: signals may have been missed (the connection was lost, or the database has no LISTEN): look at the tables.
   * The returned function ends it.
   */
  listen(channel: string, heard: (payload: string | undefined) => void): () => void;
  /** Sends a signal; `payload` holds at most 7,999 bytes and nothing secret (NOTIFY of PostgreSQL). */
  notify(channel: string, payload: string): Promise<void>;
  close(): Promise<void>;
}
