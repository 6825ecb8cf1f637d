// COPY ... FROM STDIN through the stock `pg` driver: rows go out as CopyData while they are made, never collected.
import type { Client, Connection, Submittable } from 'pg';

/** What `pg` gives a query that it was handed as an object: its connection has the COPY messages as well. */
interface CopyConnection extends Connection {
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
  sendCopyFail(message: string): void;
}

const chunkCharacters = 64 * 1024;

/** Loads lines of COPY's text format into a table; `progress` hears the count of rows handed to the socket. */
export function copyIn(
  client: Client,
  table: string,
  lines: Iterable<string>,
  progress: (rows: number) => void = () => {},
): Promise<void> {
  return new Promise((resolve, reject) => {
    let failure: Error | undefined;
    const statement = {
      submit(connection: Connection) {
        connection.query(`copy ${table} from stdin`);
      },
      handleCopyInResponse(connection: CopyConnection) {
        send(connection, lines, progress).then(
          () => connection.endCopyFrom(),
          (error: unknown) => connection.sendCopyFail(String(error)),
        );
      },
      handleCommandComplete() {},
      handleError(error: Error) {
        failure = error;
        // After a refused COPY the server still says ReadyForQuery; a lost connection says nothing more.
        reject(error);
      },
      handleReadyForQuery() {
        if (failure === undefined) resolve();
      },
    };
    client.query(statement as Submittable);
  });
}

async function send(connection: CopyConnection, lines: Iterable<string>, progress: (rows: number) => void) {
  let chunk = '';
  let rows = 0;
  const flush = async () => {
    connection.sendCopyFromChunk(Buffer.from(chunk));
    chunk = '';
    progress(rows);
    if (connection.stream.destroyed) throw new Error('the connection was lost');
    if (connection.stream.writableNeedDrain) await drained(connection);
  };
  for (const line of lines) {
    chunk += line;
    rows++;
    if (chunk.length >= chunkCharacters) await flush();
  }
  await flush();
}

function drained({ stream }: CopyConnection): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      stream.off('drain', go).off('close', go);
      resolve();
    };
    stream.on('drain', go).on('close', go);
  });
}
