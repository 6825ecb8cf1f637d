// A Postgres client that costs next to nothing: it logs in, sends a query, and walks the headers of the frames that come back.
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { connect } from 'node:net';

export interface Login {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

export interface Drained {
  readonly rows: number;
  readonly bytes: number;
  readonly seconds: number;
}

export interface DrainClient {
  /**
   * Runs one statement and counts its rows: in text by a simple query, in binary by an unnamed prepared statement. With `bytesPerSecond`
   * it reads no faster than that.
   */
  drain(sql: string, format: 'text' | 'binary', bytesPerSecond?: number): Promise<Drained>;
  close(): void;
}

/** Messages whose body must be read; all others are skipped by their length. */
const read = new Set(['R', 'E', 'Z'].map((letter) => letter.charCodeAt(0)));
const dataRow = 'D'.charCodeAt(0);

/** Logs in by trust, cleartext, md5 or SCRAM-SHA-256, whichever the server asks for. */
export function drainClient(login: Login): Promise<DrainClient> {
  return new Promise((resolve, reject) => {
    let rows = 0;
    let bytes = 0;
    let failure: Error | undefined;
    /** Bytes a second, where the client is to be slow. */
    let pace: number | undefined;
    /** Bytes of the present message that are still to come and of no interest. */
    let skip = 0;
    /** A header, or a message to be read, that does not lie in one chunk. */
    let partial = Buffer.alloc(0);
    let ready: () => void = () => resolve(client);
    const fail = (error: Error) => {
      failure ??= error;
      reject(failure);
      ready();
    };
    const scram = scramClient(login.password);

    const onMessage = (type: number, body: Buffer) => {
      if (type === 69) {
        // A statement's error is followed by ReadyForQuery, which ends the drain; one at login by the end of the connection.
        failure = new Error(errorText(body));
        reject(failure);
      } else if (type === 90) ready();
      else {
        const answer = authenticate(body, login, scram);
        if (answer !== undefined) socket.write(frame('p', answer));
      }
    };

    const walk = (chunk: Buffer, end: number) => {
      bytes += end;
      let at = 0;
      if (partial.length > 0) {
        chunk = Buffer.concat([partial, chunk.subarray(0, end)]);
        end = chunk.length;
        partial = Buffer.alloc(0);
      }
      if (skip > 0) {
        at = Math.min(skip, end);
        skip -= at;
      }
      while (at < end) {
        if (end - at < 5) break;
        const type = chunk[at] as number;
        const length = chunk.readInt32BE(at + 1) + 1;
        if (type === dataRow) rows++;
        else if (read.has(type)) {
          if (end - at < length) break;
          onMessage(type, chunk.subarray(at + 5, at + length));
        }
        at += length;
      }
      if (at > end) skip = at - end;
      else if (at < end) partial = Buffer.from(chunk.subarray(at, end));
    };

    const wait = (ms: number) => {
      socket.pause();
      setTimeout(() => socket.resume(), ms);
    };

    const socket = connect({
      host: login.host,
      port: login.port,
      onread: {
        buffer: Buffer.allocUnsafeSlow(256 * 1024),
        callback: (count, buffer) => {
          walk(buffer as Buffer, count);
          if (pace !== undefined) wait((count / pace) * 1000);
          return true;
        },
      },
    });
    socket.setNoDelay(true);
    socket.once('error', fail);
    socket.once('close', () => fail(new Error('the connection was closed')));
    socket.once('connect', () => socket.write(startup(login)));

    const client: DrainClient = {
      async drain(sql, format, bytesPerSecond) {
        pace = bytesPerSecond;
        rows = 0;
        bytes = 0;
        failure = undefined;
        const start = performance.now();
        await new Promise<void>((done) => {
          ready = done;
          socket.write(format === 'text' ? frame('Q', text(sql)) : binaryQuery(sql));
        });
        if (failure !== undefined) throw failure;
        return { rows, bytes, seconds: (performance.now() - start) / 1000 };
      },
      close() {
        socket.removeAllListeners('close').end(frame('X', Buffer.alloc(0)));
      },
    };
  });
}

function frame(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(type, 'latin1');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

function text(value: string): Buffer {
  return Buffer.from(`${value}\0`);
}

function startup({ user, database }: Login): Buffer {
  const body = Buffer.concat([
    Buffer.from([0, 3, 0, 0]),
    ...['user', user, 'database', database, 'client_encoding', 'UTF8', ''].map(text),
  ]);
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length + 4);
  return Buffer.concat([length, body]);
}

/** Parse, Bind with all results in binary, Execute, Sync. */
function binaryQuery(sql: string): Buffer {
  return Buffer.concat([
    frame('P', Buffer.concat([text(''), text(sql), Buffer.from([0, 0])])),
    frame('B', Buffer.concat([text(''), text(''), Buffer.from([0, 0, 0, 0, 0, 1, 0, 1])])),
    frame('D', Buffer.from('P\0')),
    frame('E', Buffer.concat([text(''), Buffer.alloc(4)])),
    frame('S', Buffer.alloc(0)),
  ]);
}

function errorText(body: Buffer): string {
  const fields = body.toString('utf8').split('\0');
  const field = (letter: string) => fields.find((part) => part.startsWith(letter))?.slice(1) ?? '';
  return `${field('S')} ${field('C')}: ${field('M')}`;
}

interface Scram {
  first(): string;
  final(serverFirst: string): string;
}

/** RFC 5802 and 7677, the client's side, without channel binding. The server's signature is not checked: this only measures. */
function scramClient(password: string): Scram {
  const nonce = randomBytes(18).toString('base64');
  const bare = `n=,r=${nonce}`;
  const hmac = (key: Buffer, data: string) => createHmac('sha256', key).update(data).digest();
  return {
    first: () => `n,,${bare}`,
    final(serverFirst) {
      const field = (letter: string) => new RegExp(`(?:^|,)${letter}=([^,]+)`).exec(serverFirst)?.[1] ?? '';
      const salted = pbkdf2Sync(password, Buffer.from(field('s'), 'base64'), Number(field('i')), 32, 'sha256');
      const clientKey = hmac(salted, 'Client Key');
      const withoutProof = `c=biws,r=${field('r')}`;
      const signature = hmac(createHash('sha256').update(clientKey).digest(), `${bare},${serverFirst},${withoutProof}`);
      const proof = Buffer.from(clientKey.map((byte, at) => byte ^ (signature[at] as number)));
      return `${withoutProof},p=${proof.toString('base64')}`;
    },
  };
}

/** The answer to an Authentication message, or undefined where none is due. */
function authenticate(body: Buffer, { user, password }: Login, scram: Scram): Buffer | undefined {
  const md5 = (...parts: (string | Buffer)[]) => {
    const hash = createHash('md5');
    for (const part of parts) hash.update(part);
    return hash.digest('hex');
  };
  switch (body.readInt32BE(0)) {
    case 3:
      return text(password);
    case 5:
      return text(`md5${md5(md5(password, user), body.subarray(4, 8))}`);
    case 10: {
      const first = Buffer.from(scram.first());
      const length = Buffer.alloc(4);
      length.writeInt32BE(first.length);
      return Buffer.concat([text('SCRAM-SHA-256'), length, first]);
    }
    case 11:
      return Buffer.from(scram.final(body.toString('utf8', 4)));
    default:
      return undefined;
  }
}
