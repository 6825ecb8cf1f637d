// Signals between gateways: LISTEN on a connection of its own that comes back when it is lost. A database without LISTEN (YugabyteDB
// before 2.25) is asked every second instead.
import type pg from 'pg';

type Heard = (payload: string | undefined) => void;

const retryMs = 500;
const askMs = 900;
/** feature_not_supported: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const notSupported = '0A000';

export class Signals {
  readonly #make: () => pg.Client;
  readonly #log: (message: string, cause: unknown) => void;
  readonly #listeners = new Map<string, Set<Heard>>();
  #client: pg.Client | undefined;
  #connecting = false;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;
  /** A connection runs one statement at a time. */
  #subscribing: Promise<unknown> = Promise.resolve();

  constructor(make: () => pg.Client, log: (message: string, cause: unknown) => void) {
    this.#make = make;
    this.#log = log;
  }

  listen(channel: string, heard: Heard): () => void {
    const known = this.#listeners.get(channel);
    const listeners = known ?? new Set<Heard>();
    listeners.add(heard);
    if (known === undefined) {
      this.#listeners.set(channel, listeners);
      if (this.#client !== undefined) this.#subscribe(this.#client, channel);
    }
    this.#connect();
    return () => {
      listeners.delete(heard);
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => undefined);
  }

  #connect(): void {
    if (this.#client !== undefined || this.#connecting || this.#closed || this.#timer !== undefined) return;
    this.#connecting = true;
    const client = this.#make();
    client.on('notification', ({ channel, payload }) => this.#tell(channel, payload ?? ''));
    client.on('error', (cause) => this.#lost(client, cause));
    client.on('end', () => this.#lost(client, new Error('the store closed the connection')));
    client.connect().then(
      () => {
        this.#connecting = false;
        if (this.#closed) return void client.end().catch(() => undefined);
        this.#client = client;
        for (const channel of this.#listeners.keys()) this.#subscribe(client, channel);
      },
      (cause: unknown) => {
        this.#connecting = false;
        this.#again(cause);
      },
    );
  }

  #subscribe(client: pg.Client, channel: string): void {
    this.#subscribing = this.#subscribing
      .then(() => client.query(`listen ${client.escapeIdentifier(channel)}`))
      .then(
        // What was sent before the subscription stood is found in the tables.
        () => this.#tell(channel, undefined),
        (cause: unknown) => {
          if (cause instanceof Error && 'code' in cause && cause.code === notSupported) this.#ask(channel);
          else this.#lost(client, cause);
        },
      )
      .catch(() => undefined);
  }

  #ask(channel: string): void {
    const timer = setInterval(() => {
      if (this.#closed) clearInterval(timer);
      else this.#tell(channel, undefined);
    }, askMs);
    timer.unref();
  }

  #tell(channel: string, payload: string | undefined): void {
    for (const heard of this.#listeners.get(channel) ?? []) heard(payload);
  }

  #lost(client: pg.Client, cause: unknown): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    client.end().catch(() => undefined);
    this.#again(cause);
  }

  #again(cause: unknown): void {
    if (this.#closed) return;
    this.#log('the store sends no signals; connecting again', cause);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#connect();
    }, retryMs);
    this.#timer.unref();
  }
}
