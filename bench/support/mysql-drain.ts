// A MySQL client that costs next to nothing: it logs in, sends a query, and walks the headers of the packets that come back.
import { connect } from 'node:net';
import { capability, command } from '../../protocols/mysql/constants.ts';
import {
  decodeAuthSwitchRequest,
  decodeGreeting,
  encodeHandshakeResponse,
} from '../../protocols/mysql/handshake-messages.ts';
import { decodeErr, decodePrepareOk } from '../../protocols/mysql/messages.ts';
import { frame } from '../../protocols/mysql/packets.ts';
import { nativeResponse } from '../../protocols/mysql/scramble.ts';
import type { DrainClient, Login } from './drain-client.ts';

const capabilities =
  capability.LONG_PASSWORD |
  capability.LONG_FLAG |
  capability.PROTOCOL_41 |
  capability.TRANSACTIONS |
  capability.SECURE_CONNECTION |
  capability.MULTI_RESULTS |
  capability.PS_MULTI_RESULTS |
  capability.PLUGIN_AUTH |
  capability.CONNECT_WITH_DB |
  capability.PLUGIN_AUTH_LENENC_CLIENT_DATA |
  capability.DEPRECATE_EOF;

/** Whole packets are handed over, rows are skipped by their length. */
type Phase = 'login' | 'first' | 'columns' | 'rows' | 'prepare' | 'definitions';

/** Logs in with mysql_native_password to servers that have it, in the clear to all others. */
export function mysqlDrainClient(login: Login): Promise<DrainClient> {
  return new Promise((resolve, reject) => {
    let rows = 0;
    let bytes = 0;
    let failure: Error | undefined;
    let phase: Phase = 'login';
    /** Packets still to come before the phase ends. */
    let left = 0;
    let statement = 0;
    /** Bytes of the present row that are still to come and of no interest. */
    let skip = 0;
    let partial: Buffer = Buffer.alloc(0);
    let ready: () => void = () => {};
    const fail = (error: Error) => {
      failure ??= error;
      reject(failure);
      ready();
    };
    const send = (payload: Buffer, sequence = 0) => socket.write(frame(payload, sequence));

    const onPacket = (payload: Buffer, sequence: number) => {
      const first = payload[0] as number;
      if (first === 0xff) {
        const { code, message } = decodeErr(payload);
        fail(new Error(`${code}: ${message}`));
      } else if (phase === 'login') authenticate(payload, sequence);
      else if (phase === 'first') {
        left = payload.readUIntLE(0, 1);
        phase = 'columns';
      } else if (phase === 'columns') {
        left -= 1;
        if (left === 0) phase = 'rows';
      } else if (phase === 'rows') ready();
      else if (phase === 'prepare') {
        const prepared = decodePrepareOk(payload);
        statement = prepared.statement;
        left = prepared.columns;
        phase = 'definitions';
      } else {
        left -= 1;
        if (left === 0) execute();
      }
    };

    const authenticate = (payload: Buffer, sequence: number) => {
      const clear = Buffer.from(`${login.password}\0`);
      if (payload[0] === 10) {
        const greeting = decodeGreeting(payload);
        const native = greeting.plugin === 'mysql_native_password';
        const { user, database, password } = login;
        send(
          encodeHandshakeResponse({
            capabilities,
            extended: 0,
            maxPacket: 0x100_0000,
            charset: 45,
            user,
            auth: native ? nativeResponse(password, greeting.scramble.subarray(0, 20)) : clear,
            database,
            plugin: native ? 'mysql_native_password' : 'mysql_clear_password',
            attributes: new Map(),
          }),
          sequence + 1,
        );
      } else if (payload[0] === 0xfe) {
        const { plugin, data } = decodeAuthSwitchRequest(payload);
        send(
          plugin === 'mysql_native_password' ? nativeResponse(login.password, data.subarray(0, 20)) : clear,
          sequence + 1,
        );
      } else resolve(client);
    };

    const execute = () => {
      const bytes = Buffer.alloc(10);
      bytes[0] = command.STMT_EXECUTE;
      bytes.writeUInt32LE(statement, 1);
      bytes.writeUInt32LE(1, 6);
      phase = 'first';
      send(bytes);
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
        const next =
          at + 4 + ((chunk[at] as number) | ((chunk[at + 1] as number) << 8) | ((chunk[at + 2] as number) << 16));
        const first = chunk[at + 4] as number;
        if (phase === 'rows' && first !== 0xfe && first !== 0xff) rows++;
        else {
          if (next > end) break;
          onPacket(chunk.subarray(at + 4, next), chunk[at + 3] as number);
        }
        at = next;
      }
      if (at > end) skip = at - end;
      else if (at < end) partial = Buffer.from(chunk.subarray(at, end));
    };

    const socket = connect({
      host: login.host,
      port: login.port,
      onread: {
        buffer: Buffer.allocUnsafeSlow(256 * 1024),
        callback: (count, buffer) => {
          walk(buffer as Buffer, count);
          return true;
        },
      },
    });
    socket.setNoDelay(true);
    socket.once('error', fail);
    socket.once('close', () => fail(new Error('the connection was closed')));

    const client: DrainClient = {
      async drain(sql, format) {
        rows = 0;
        bytes = 0;
        failure = undefined;
        const start = performance.now();
        await new Promise<void>((done) => {
          ready = done;
          const binary = format === 'binary';
          phase = binary ? 'prepare' : 'first';
          send(Buffer.concat([Buffer.from([binary ? command.STMT_PREPARE : command.QUERY]), Buffer.from(sql)]));
        });
        if (failure !== undefined) throw failure;
        const seconds = (performance.now() - start) / 1000;
        if (format === 'binary') {
          const bytes = Buffer.alloc(5);
          bytes[0] = command.STMT_CLOSE;
          bytes.writeUInt32LE(statement, 1);
          send(bytes);
        }
        return { rows, bytes, seconds };
      },
      close() {
        socket.removeAllListeners('close').end(frame(Buffer.from([command.QUIT]), 0));
      },
    };
  });
}
