// The gateway's own connection to a target: one use at a time, opened when it is first wanted and again when it was lost.

interface Ending {
  end(): Promise<unknown>;
}

export class OwnConnection<C extends Ending> {
  private readonly open: (lost: (connection: C) => void) => Promise<C>;
  private connection: C | undefined;
  private queue: Promise<unknown> = Promise.resolve();
  private closed = false;

  /** `open` connects; it calls `lost` with the connection when that fails or ends later. */
  constructor(open: (lost: (connection: C) => void) => Promise<C>) {
    this.open = open;
  }

  /** Rejects with what `work` or the opening rejects with, and once it is closed. */
  use<T>(work: (connection: C) => Promise<T>): Promise<T> {
    const run = this.queue.then(async () => work(await this.connected()));
    this.queue = run.catch(() => undefined);
    return run;
  }

  async close(): Promise<void> {
    this.closed = true;
    const { connection } = this;
    this.connection = undefined;
    await connection?.end().catch(() => undefined);
  }

  private async connected(): Promise<C> {
    if (this.closed) throw new Error('the reader is closed');
    this.connection ??= await this.open((lost) => {
      if (this.connection === lost) this.connection = undefined;
    });
    return this.connection;
  }
}
