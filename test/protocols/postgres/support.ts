// A small gate for the tests of the Postgres room: it knows no SQL, and does what the test's own functions say.
import { connect, type Socket } from 'node:net';
import type {
  BoundParameters,
  ClientHello,
  FieldMask,
  GateSession,
  Judgement,
  MaybePromise,
  Opened,
  Plan,
  PostgresField,
  Refusal,
  SessionId,
  ShapedCopy,
  Upstream,
} from '../../../protocols/gate.ts';
import {
  createPostgresListener,
  type PostgresListener,
  type PostgresListenerOptions,
} from '../../../protocols/postgres/index.ts';
import type { EmbeddedServer } from '../../../src/store/embedded.ts';
import { executionOf, keepingLogger, type ScriptedGate, type Settled, scriptedGate, serve } from '../support.ts';

export { nothing, refusal, type Settled, stars, word } from '../support.ts';

/** What a test makes of the gate; what is left out allows. */
export interface Script extends ScriptedGate {
  readonly judge?: (text: string, arrival: 'simple' | 'extended') => MaybePromise<Judgement> | undefined;
  /** How many statements a simple text has; left out: split at semicolons. */
  readonly plan?: Partial<Plan>;
  readonly open?: (text: string, parameters: BoundParameters | undefined) => MaybePromise<Opened> | undefined;
  readonly masks?: (field: PostgresField) => FieldMask | undefined;
  readonly shapeCopy?: (columns: number, binary: boolean) => ShapedCopy;
  readonly upstream?: Partial<Upstream>;
  readonly parameter?: (name: string, value: string) => Refusal | undefined;
  readonly limits?: PostgresListenerOptions['limits'];
  readonly listener?: Partial<PostgresListenerOptions>;
}

export interface Gateway {
  readonly port: number;
  readonly listener: PostgresListener;
  readonly settled: Settled[];
  readonly opened: string[];
  readonly hellos: ClientHello[];
  readonly ends: string[];
  readonly statuses: string[];
  readonly errors: unknown[];
  /** Ends a session as the gateway would when an identity expires. */
  endSessions(refusal: Refusal): void;
  url(database?: string, password?: string): string;
  stop(): Promise<void>;
}

/** Splits as far as these tests need it: no semicolons inside of statements but in quotes. */
export function split(text: string): string[] {
  return (text.match(/(?:'(?:[^']|'')*'|\$\$.*?\$\$|[^;'$]|\$)+/gs) ?? [])
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

export async function startGateway(server: EmbeddedServer, script: Script = {}): Promise<Gateway> {
  const settled: Settled[] = [];
  const opened: string[] = [];
  const hellos: ClientHello[] = [];
  const ends: string[] = [];
  const statuses: string[] = [];
  const errors: unknown[] = [];
  const enders = new Set<(refusal: Refusal) => void>();
  let count = 0;

  function plan(text: string): Plan {
    return {
      open(parameters) {
        const scripted = script.open?.(text, parameters);
        if (scripted !== undefined) return scripted;
        opened.push(text);
        return { kind: 'opened', execution: executionOf(text, opened.length, settled) };
      },
      shape(fields) {
        const masks = fields.map((field) => (field.dialect === 'postgres' ? script.masks?.(field) : undefined));
        return { kind: 'rows', masks: masks.some(Boolean) ? masks : undefined };
      },
      shapeCopy(columns, binary) {
        return (
          script.shapeCopy?.(columns, binary) ?? {
            kind: 'copy',
            masks: undefined,
            format: { kind: 'binary' },
          }
        );
      },
      withholdsErrors: false,
      barrier: false,
      maxRows: undefined,
      ...script.plan,
    };
  }

  function session(): GateSession {
    count += 1;
    return {
      id: `s${count}` as SessionId,
      upstream: {
        target: 'shop',
        host: server.host,
        port: server.port,
        database: 'postgres',
        user: server.user,
        password: server.password,
        tls: { mode: 'disable' },
        parameters: new Map([['application_name', 'sallyport:test']]),
        ...script.upstream,
      },
      masks: script.masks !== undefined || script.shapeCopy !== undefined,
      judge(text, arrival) {
        const scripted = script.judge?.(text, arrival);
        if (scripted !== undefined) return scripted;
        return allow(text);
      },
      parameter: (name, value) => script.parameter?.(name, value),
      transaction: (status) => void statuses.push(status),
      onEnd: (listener) => void enders.add(listener),
      end: (cause) => void ends.push(cause),
    };
  }

  function allow(text: string): Extract<Judgement, { kind: 'allow' }> {
    return { kind: 'allow', text: `${text}/*identity='test'*/`, plans: split(text).map(plan) };
  }
  allowers.set(script, allow);

  const gate = scriptedGate(script, hellos, session);
  const listener = createPostgresListener({
    gate,
    logger: keepingLogger(errors),
    ...(script.limits === undefined ? {} : { limits: script.limits }),
    ...script.listener,
  });
  const { port, stop } = await serve(listener);
  return {
    port,
    listener,
    settled,
    opened,
    hellos,
    ends,
    statuses,
    errors,
    endSessions: (reason) => {
      for (const end of enders) end(reason);
    },
    url: (database = 'shop', password = 'token') => `postgres://agent:${password}@127.0.0.1:${port}/${database}`,
    stop,
  };
}

const allowers = new WeakMap<Script, (text: string) => Extract<Judgement, { kind: 'allow' }>>();

/** What the gate of `script` says to a text it allows; for scripts that hold or wait first. */
export function allowed(script: Script, text: string): Extract<Judgement, { kind: 'allow' }> {
  const allow = allowers.get(script);
  if (allow === undefined) throw new Error('the gateway is not started');
  return allow(text);
}

// A client that speaks in raw messages ---------------------------------------------------------------------------------------

export interface RawMessage {
  readonly type: string;
  readonly body: Buffer;
}

export function message(type: string, body: Buffer = Buffer.alloc(0)): Buffer {
  const frame = Buffer.alloc(5 + body.length);
  frame.write(type, 'latin1');
  frame.writeInt32BE(4 + body.length, 1);
  body.copy(frame, 5);
  return frame;
}

const text = (value: string) => Buffer.from(`${value}\0`);
const int16 = (value: number) => Buffer.from([(value >> 8) & 255, value & 255]);
export const int32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};

/** The client's messages, for pipelines written out by hand. */
export const say = {
  query: (sql: string) => message('Q', text(sql)),
  parse: (name: string, sql: string) => message('P', Buffer.concat([text(name), text(sql), int16(0)])),
  bind: (portal: string, statement: string, values: readonly (string | null)[] = [], binaryResults = false) =>
    message(
      'B',
      Buffer.concat([
        text(portal),
        text(statement),
        int16(0),
        int16(values.length),
        ...values.map((value) =>
          value === null ? int32(-1) : Buffer.concat([int32(Buffer.byteLength(value)), Buffer.from(value)]),
        ),
        ...(binaryResults ? [int16(1), int16(1)] : [int16(0)]),
      ]),
    ),
  describe: (of: 'S' | 'P', name: string) => message('D', text(of + name)),
  execute: (portal: string, rows = 0) => message('E', Buffer.concat([text(portal), int32(rows)])),
  close: (of: 'S' | 'P', name: string) => message('C', text(of + name)),
  sync: message('S'),
  flush: message('H'),
  copyData: (data: string | Buffer) => message('d', Buffer.from(data)),
  copyDone: message('c'),
  copyFail: (why: string) => message('f', text(why)),
  terminate: message('X'),
};

export class RawClient {
  readonly socket: Socket;
  readonly messages: RawMessage[] = [];
  closed = false;
  private buffer: Buffer = Buffer.alloc(0);
  private wake: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.buffer = this.buffer.length === 0 ? chunk : Buffer.concat([this.buffer, chunk]);
      while (this.buffer.length >= 5) {
        const length = this.buffer.readInt32BE(1) + 1;
        if (this.buffer.length < length) break;
        this.messages.push({
          type: String.fromCharCode(this.buffer[0] ?? 0),
          body: Buffer.from(this.buffer.subarray(5, length)),
        });
        this.buffer = this.buffer.subarray(length);
      }
      this.wake();
    });
    socket.on('close', () => {
      this.closed = true;
      this.wake();
    });
    socket.on('error', () => {});
  }

  /** Connects and logs in, ready for queries. */
  static async open(
    port: number,
    options: {
      user?: string;
      password?: string;
      database?: string;
      parameters?: Record<string, string>;
      minor?: number;
    } = {},
  ): Promise<RawClient> {
    const client = await RawClient.connect(port);
    client.send(startUp(options));
    await client.until((received) => received.some(({ type }) => type === 'R' || type === 'E'));
    if (client.messages.at(-1)?.type === 'R') client.send(message('p', text(options.password ?? 'token')));
    await client.until((received) => received.some(({ type }) => type === 'Z' || type === 'E'));
    return client;
  }

  static async connect(port: number): Promise<RawClient> {
    const socket = connect(port, '127.0.0.1');
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new RawClient(socket);
  }

  send(...parts: readonly Buffer[]): void {
    this.socket.write(Buffer.concat(parts));
  }

  /** Waits until `done` holds of what has been received, or the connection is closed. */
  async until(done: (received: readonly RawMessage[]) => boolean, ms = 10_000): Promise<void> {
    const deadline = Date.now() + ms;
    while (!done(this.messages) && !this.closed) {
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`still waiting; received ${this.messages.map(({ type }) => type).join('')}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Takes everything received up to `count` ReadyForQuery messages. */
  async take(count = 1): Promise<RawMessage[]> {
    const readies = () => this.messages.filter(({ type }) => type === 'Z').length;
    await this.until(() => readies() >= count);
    return this.messages.splice(0);
  }

  async ask(...parts: readonly Buffer[]): Promise<RawMessage[]> {
    this.messages.length = 0;
    this.send(...parts);
    const readies = parts.reduce((sum, part) => sum + countReadies(part), 0);
    return this.take(readies);
  }

  async close(): Promise<void> {
    this.socket.end(say.terminate);
    await this.until(() => this.closed);
  }
}

function countReadies(bytes: Buffer): number {
  let readies = 0;
  for (let at = 0; at + 5 <= bytes.length; at += bytes.readInt32BE(at + 1) + 1) {
    const type = String.fromCharCode(bytes[at] ?? 0);
    if (type === 'S' || type === 'Q') readies += 1;
  }
  return readies;
}

export function startUp(
  options: { user?: string; database?: string; parameters?: Record<string, string>; minor?: number } = {},
): Buffer {
  const parameters = { user: options.user ?? 'agent', database: options.database ?? 'shop', ...options.parameters };
  const body = Buffer.concat([
    int32((3 << 16) | (options.minor ?? 0)),
    ...Object.entries(parameters).flatMap(([name, value]) => [text(name), text(value)]),
    Buffer.from([0]),
  ]);
  return Buffer.concat([int32(body.length + 4), body]);
}

/** The letters of a conversation, for comparing its course: `1 2 D C Z`. */
export const letters = (messages: readonly RawMessage[]): string => messages.map(({ type }) => type).join('');

/** The fields of an error or notice, by their letters. */
export function errorOf(messages: readonly RawMessage[], type = 'E'): Record<string, string> {
  const found = messages.find((candidate) => candidate.type === type);
  if (found === undefined) throw new Error(`no ${type} in ${letters(messages)}`);
  return Object.fromEntries(
    found.body
      .toString()
      .split('\0')
      .filter((field) => field !== '')
      .map((field) => [field[0], field.slice(1)]),
  );
}

/** The transaction status of the last ReadyForQuery. */
export function statusOf(messages: readonly RawMessage[]): string {
  return messages.findLast(({ type }) => type === 'Z')?.body.toString() ?? '';
}

/** The values of all DataRows, as text. */
export function rowsOf(messages: readonly RawMessage[]): (string | null)[][] {
  return messages
    .filter(({ type }) => type === 'D')
    .map(({ body }) => {
      const row: (string | null)[] = [];
      let at = 2;
      for (let i = 0; i < body.readInt16BE(0); i += 1) {
        const length = body.readInt32BE(at);
        at += 4;
        row.push(length < 0 ? null : body.toString('utf8', at, at + length));
        at += Math.max(length, 0);
      }
      return row;
    });
}
