// A client that speaks in packets, for conversations written out by hand: to the gateway, or to a server directly.
import { connect, type Socket } from 'node:net';
import { Writer } from '../../../protocols/mysql/bytes.ts';
import { capability, command } from '../../../protocols/mysql/constants.ts';
import {
  decodeAuthSwitchRequest,
  decodeGreeting,
  encodeHandshakeResponse,
  type Greeting,
} from '../../../protocols/mysql/handshake-messages.ts';
import { decodeErr, type ErrPacket } from '../../../protocols/mysql/messages.ts';
import { frame, packetHeader, payloadLength } from '../../../protocols/mysql/packets.ts';
import { cachingSha2Response, nativeResponse } from '../../../protocols/mysql/scramble.ts';

export interface Packet {
  readonly sequence: number;
  readonly payload: Buffer;
}

/** What every client of the last twenty years has. */
export const plainCapabilities =
  capability.LONG_PASSWORD |
  capability.LONG_FLAG |
  capability.PROTOCOL_41 |
  capability.TRANSACTIONS |
  capability.SECURE_CONNECTION |
  capability.MULTI_RESULTS |
  capability.PS_MULTI_RESULTS |
  capability.PLUGIN_AUTH |
  capability.CONNECT_WITH_DB;

export interface RawLogin {
  readonly user?: string;
  readonly password?: string;
  readonly database?: string;
  /** Beside the plain ones. */
  readonly capabilities?: number;
  readonly extended?: number;
  readonly charset?: number;
  /** The method to begin with; left out: the server's. */
  readonly plugin?: string;
}

export class RawClient {
  readonly socket: Socket;
  readonly packets: Packet[] = [];
  closed = false;
  private chunks: Buffer[] = [];
  private size = 0;
  private needed = packetHeader;
  private wake: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.chunks.push(chunk);
      this.size += chunk.length;
      // Joined only when a whole packet is there: large ones come in many chunks.
      while (this.size >= this.needed) {
        const bytes = this.chunks.length === 1 ? (this.chunks[0] as Buffer) : Buffer.concat(this.chunks, this.size);
        const end = packetHeader + payloadLength(bytes, 0);
        this.needed = end;
        this.chunks = [bytes];
        if (this.size < end) break;
        this.packets.push({ sequence: bytes[3] as number, payload: Buffer.from(bytes.subarray(packetHeader, end)) });
        this.chunks = [bytes.subarray(end)];
        this.size -= end;
        this.needed = packetHeader;
      }
      this.wake();
    });
    socket.on('close', () => {
      this.closed = true;
      this.wake();
    });
    socket.on('error', () => {});
  }

  static async connect(port: number): Promise<RawClient> {
    const socket = connect(port, '127.0.0.1');
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new RawClient(socket);
  }

  /** Connects and logs in; the last packet taken is the OK or the error. */
  static async open(
    port: number,
    login: RawLogin = {},
  ): Promise<{ client: RawClient; greeting: Greeting; last: Packet }> {
    const client = await RawClient.connect(port);
    const greeting = decodeGreeting((await client.take()).payload);
    const password = login.password ?? 'token';
    const plugin = login.plugin ?? greeting.plugin;
    const answers = (method: string, scramble: Buffer) => {
      if (method === 'mysql_clear_password') return Buffer.from(`${password}\0`);
      const hashed = method === 'mysql_native_password' ? nativeResponse : cachingSha2Response;
      return hashed(password, scramble.subarray(0, 20));
    };
    client.send(
      encodeHandshakeResponse({
        capabilities: plainCapabilities | (login.capabilities ?? 0),
        extended: login.extended ?? 0,
        maxPacket: 0x1000000,
        charset: login.charset ?? 45,
        user: login.user ?? 'agent',
        auth: answers(plugin, greeting.scramble),
        database: login.database ?? 'crm',
        plugin,
        attributes: new Map(),
      }),
      1,
    );
    for (;;) {
      const packet = await client.take();
      const [first, second] = packet.payload;
      if (first === 0xfe) {
        const { plugin: method, data } = decodeAuthSwitchRequest(packet.payload);
        client.send(answers(method, data), packet.sequence + 1);
      } else if (first === 1 && second === 4) client.send(Buffer.from(`${password}\0`), packet.sequence + 1);
      else if (first !== 1 || second !== 3) return { client, greeting, last: packet };
    }
  }

  send(payload: Buffer, sequence = 0): void {
    this.socket.write(frame(payload, sequence));
  }

  /** Waits for and takes the next packet. */
  async take(ms = 30_000): Promise<Packet> {
    const deadline = Date.now() + ms;
    while (this.packets.length === 0) {
      const left = deadline - Date.now();
      if (this.closed) throw new Error('the connection is closed');
      if (left <= 0) throw new Error('no packet has come');
      await this.woken(left);
    }
    return this.packets.shift() as Packet;
  }

  async takeMany(count: number): Promise<Packet[]> {
    const taken: Packet[] = [];
    while (taken.length < count) taken.push(await this.take());
    return taken;
  }

  /** Everything up to the end of the connection. */
  async rest(ms = 40_000): Promise<Packet[]> {
    const deadline = Date.now() + ms;
    while (!this.closed) {
      if (Date.now() > deadline) throw new Error(`not closed after ${this.packets.length} packets`);
      await this.woken(deadline - Date.now());
    }
    return this.packets.splice(0);
  }

  private woken(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Sends a command and takes one packet. */
  async ask(payload: Buffer): Promise<Packet> {
    this.send(payload);
    return this.take();
  }
}

/** Commands, command byte included. */
export const say = {
  query: (sql: string) => Buffer.concat([Buffer.from([command.QUERY]), Buffer.from(sql)]),
  initDb: (name: string) => Buffer.concat([Buffer.from([command.INIT_DB]), Buffer.from(name)]),
  fieldList: (table: string) => Buffer.concat([Buffer.from([command.FIELD_LIST]), Buffer.from(`${table}\0`)]),
  prepare: (sql: string) => Buffer.concat([Buffer.from([command.STMT_PREPARE]), Buffer.from(sql)]),
  /** Values as text; `types` false: as bound before. */
  execute: (id: number, values: readonly (string | null | undefined)[] = [], { cursor = 0, types = true } = {}) => {
    const writer = new Writer().int1(command.STMT_EXECUTE).int4(id).int1(cursor).int4(1);
    if (values.length > 0) {
      const nulls = Buffer.alloc((values.length + 7) >> 3);
      for (const [index, value] of values.entries()) {
        if (value === null) nulls[index >> 3] = (nulls[index >> 3] as number) | (1 << (index & 7));
      }
      writer.raw(nulls).int1(types ? 1 : 0);
      if (types) for (const _ of values) writer.int2(0xfd);
      // Undefined: sent ahead by longData.
      for (const value of values) if (typeof value === 'string') writer.lenencText(value);
    }
    return writer.done();
  },
  longData: (id: number, parameter: number, data: string) =>
    new Writer().int1(command.STMT_SEND_LONG_DATA).int4(id).int2(parameter).text(data).done(),
  fetch: (id: number, rows: number) => new Writer().int1(command.STMT_FETCH).int4(id).int4(rows).done(),
  reset: (id: number) => new Writer().int1(command.STMT_RESET).int4(id).done(),
  close: (id: number) => new Writer().int1(command.STMT_CLOSE).int4(id).done(),
  bulk: (id: number, rows: readonly (readonly (string | null)[])[]) => {
    const writer = new Writer().int1(command.STMT_BULK_EXECUTE).int4(id).int2(128);
    for (const _ of rows[0] ?? []) writer.int2(0xfd);
    for (const row of rows) {
      for (const value of row) {
        if (value === null) writer.int1(1);
        else writer.int1(0).lenencText(value);
      }
    }
    return writer.done();
  },
  setOption: (option: number) => new Writer().int1(command.SET_OPTION).int2(option).done(),
  kill: (id: number) => new Writer().int1(command.PROCESS_KILL).int4(id).done(),
  ping: Buffer.from([command.PING]),
  statistics: Buffer.from([command.STATISTICS]),
  resetConnection: Buffer.from([command.RESET_CONNECTION]),
  quit: Buffer.from([command.QUIT]),
};

export const isOk = ({ payload }: Packet): boolean => payload[0] === 0;

export function errorOf({ payload }: Packet): ErrPacket {
  if (payload[0] !== 0xff) throw new Error(`not an error: ${payload.toString('latin1')}`);
  return decodeErr(payload);
}
