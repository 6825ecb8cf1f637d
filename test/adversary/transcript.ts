// A connection that keeps every byte it is sent, and tells what a client has been told by a statement, message by message.
import pg from 'pg';

export interface Message {
  readonly type: string;
  readonly body: Buffer;
}

/** How a text is sent: as one simple query, or by Parse, Bind and Execute with results as text or binary. */
export type Way = 'simple' | 'extended' | 'binary';

interface Stream {
  on(event: 'data', listener: (chunk: Buffer) => void): void;
}

export class Listener {
  readonly client: pg.Client;
  #chunks: Buffer[] = [];

  private constructor(client: pg.Client) {
    this.client = client;
  }

  static async open(config: pg.ClientConfig): Promise<Listener> {
    const client = new pg.Client(config);
    client.on('error', () => undefined);
    client.on('notice', () => undefined);
    await client.connect();
    const listener = new Listener(client);
    const { stream } = (client as unknown as { connection: { stream: Stream } }).connection;
    stream.on('data', (chunk) => listener.#chunks.push(Buffer.from(chunk)));
    return listener;
  }

  /** Sends a text and gives all that came back. A statement that the server refuses is told by its ErrorResponse. */
  async say(text: string, way: Way = 'simple'): Promise<readonly Message[]> {
    this.#chunks = [];
    const query =
      way === 'simple'
        ? { text, rowMode: 'array' as const }
        : { text, rowMode: 'array' as const, queryMode: 'extended', binary: way === 'binary', values: [] };
    await this.client.query(query).catch(() => undefined);
    return messages(Buffer.concat(this.#chunks));
  }

  async close(): Promise<void> {
    await this.client.end().catch(() => undefined);
  }
}

function messages(bytes: Buffer): Message[] {
  const found: Message[] = [];
  for (let at = 0; at + 5 <= bytes.length; ) {
    const end = at + 1 + bytes.readUInt32BE(at + 1);
    found.push({ type: String.fromCharCode(bytes[at] ?? 0), body: bytes.subarray(at + 5, end) });
    at = end;
  }
  return found;
}

/** Everything in it as one text, a byte a character. */
export function told(transcript: readonly Message[]): string {
  return transcript.map(({ type, body }) => `${type} ${body.toString('latin1')}`).join('\n');
}

/** The fields of the first error. */
export function errorOf(transcript: readonly Message[]): ReadonlyMap<string, string> | undefined {
  const error = transcript.find(({ type }) => type === 'E');
  if (error === undefined) return undefined;
  const fields = error.body
    .toString('utf8')
    .split('\0')
    .filter((field) => field !== '');
  return new Map(fields.map((field) => [field.charAt(0), field.slice(1)]));
}

/** Refused by the gateway in its own words. */
export function refused(transcript: readonly Message[]): boolean {
  return errorOf(transcript)?.get('M')?.startsWith('sallyport: ') === true;
}

/** What two runs can be compared by: without times, numbers of records and processes, which differ from run to run. */
export function comparable(transcript: readonly Message[]): string {
  const kept = transcript.filter(({ type }) => type !== 'Z' && type !== '1' && type !== '2');
  return told(
    kept.map((message) => (message.type === 'T' ? { type: 'T', body: withoutTables(message.body) } : message)),
  )
    .replace(/record [0-9A-Za-z-]+/g, 'record')
    .replace(/\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d)?/g, 'TIME')
    .replace(
      /(actual )?time=[\d.]+(\.\.[\d.]+)?|(Planning|Execution|Generation|Inlining|Total)( Time)?: [\d.]+ ms/g,
      'TIME',
    );
}

/** A RowDescription without the numbers of tables, which grow with every table made. */
function withoutTables(body: Buffer): Buffer {
  const copy = Buffer.from(body);
  for (let at = 2; at < copy.length; ) {
    const end = copy.indexOf(0, at) + 1;
    copy.writeUInt32BE(0, end);
    at = end + 18;
  }
  return copy;
}
