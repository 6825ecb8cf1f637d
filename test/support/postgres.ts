// Servers for tests: one embedded PostgreSQL a test file, stopped when the file is done.
import pg from 'pg';
import { afterAll, beforeAll } from 'vitest';
import { type EmbeddedOptions, type EmbeddedServer, startEmbedded } from '../../src/store/embedded.ts';

/** Starts a scratch server before the file's tests and stops it after them; call the result inside tests and hooks. */
export function postgresServer(options: EmbeddedOptions = {}): () => EmbeddedServer {
  let server: EmbeddedServer | undefined;
  beforeAll(async () => {
    server = await startEmbedded(options);
  });
  afterAll(async () => {
    await server?.stop();
  });
  return () => {
    if (server === undefined) throw new Error('the server is started in beforeAll');
    return server;
  };
}

/** Runs statements on a connection of its own. */
export async function execute(url: string, ...statements: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}
