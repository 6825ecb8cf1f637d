// Messages of the command phase that this room reads or makes: OK, EOF, ERR, column definitions, the answer to a prepare.
import type { MysqlField } from '../gate.ts';
import { MalformedPacket, Reader, Writer } from './bytes.ts';
import { capability, header, status } from './constants.ts';

/** An OK packet, or the OK packet with the header of an EOF that ends a result since DEPRECATE_EOF. */
export interface OkPacket {
  readonly header: typeof header.OK | typeof header.EOF;
  /** Length-encoded as it stood: these are 64 bits wide. */
  readonly affected: Buffer;
  readonly lastInsertId: Buffer;
  readonly status: number;
  readonly warnings: number;
  readonly info: Buffer;
  /** Session state changes as they stood, where the packet has them. */
  readonly state: Buffer | undefined;
}

const zero = Buffer.from([0]);

function lenencAsItStands(reader: Reader): Buffer {
  const start = reader.at;
  reader.lenenc();
  return reader.bytes.subarray(start, reader.at);
}

export function decodeOk(payload: Buffer, capabilities: number): OkPacket {
  const reader = new Reader(payload);
  const first = reader.int1();
  if (first !== header.OK && first !== header.EOF) throw new MalformedPacket('not an OK packet');
  const affected = lenencAsItStands(reader);
  const lastInsertId = lenencAsItStands(reader);
  const flags = reader.int2();
  const warnings = reader.int2();
  let info: Buffer = Buffer.alloc(0);
  let state: Buffer | undefined;
  if ((capabilities & capability.SESSION_TRACK) !== 0) {
    if (reader.left > 0) info = reader.lenencView();
    if ((flags & status.SESSION_STATE_CHANGED) !== 0 && reader.left > 0) state = reader.lenencView();
  } else if (reader.left > 0) info = reader.lenencView();
  return { header: first, affected, lastInsertId, status: flags, warnings, info, state };
}

export function encodeOk(ok: OkPacket, capabilities: number): Buffer {
  const writer = new Writer().int1(ok.header).raw(ok.affected).raw(ok.lastInsertId);
  if ((capabilities & capability.SESSION_TRACK) !== 0) {
    writer.int2(ok.status).int2(ok.warnings);
    if (ok.info.length > 0 || ok.state !== undefined) writer.lenencBytes(ok.info);
    if (ok.state !== undefined) writer.lenencBytes(ok.state);
  } else {
    // The documentation has the rest of the packet here, servers (net_send_ok) and client libraries have a length before it.
    writer.int2(ok.status & ~status.SESSION_STATE_CHANGED).int2(ok.warnings);
    if (ok.info.length > 0) writer.lenencBytes(ok.info);
  }
  return writer.done();
}

/** A plain OK with these status flags. */
export function okPacket(flags: number): OkPacket {
  return {
    header: header.OK,
    affected: zero,
    lastInsertId: zero,
    status: flags,
    warnings: 0,
    info: Buffer.alloc(0),
    state: undefined,
  };
}

export interface EofPacket {
  readonly status: number;
  readonly warnings: number;
}

export function decodeEof(payload: Buffer): EofPacket {
  const reader = new Reader(payload, 1);
  const warnings = reader.int2();
  return { warnings, status: reader.int2() };
}

/** The end of a result for a client with DEPRECATE_EOF, from the EOF packet of a server without. */
export function eofAsOk(eof: EofPacket): OkPacket {
  return { ...okPacket(eof.status), header: header.EOF, warnings: eof.warnings };
}

/** One change the server reports in an OK packet (session tracking). */
export type StateChange =
  | { readonly kind: 'variable'; readonly name: string; readonly value: string }
  | { readonly kind: 'schema'; readonly name: string };

/** Reads the changes that decide how statements are read; others are passed over. */
export function decodeStateChanges(state: Buffer): StateChange[] {
  const changes: StateChange[] = [];
  const reader = new Reader(state);
  while (reader.left > 0) {
    const type = reader.int1();
    const data = new Reader(reader.lenencView());
    if (type === 0) {
      while (data.left > 0) {
        const name = data.lenencText();
        changes.push({ kind: 'variable', name: name.toLowerCase(), value: data.lenencText() });
      }
    } else if (type === 1) changes.push({ kind: 'schema', name: data.lenencText() });
  }
  return changes;
}

export interface ErrPacket {
  readonly code: number;
  readonly sqlstate: string;
  readonly message: string;
}

/** `withState` is false before the client has said which protocol it speaks. */
export function encodeErr(error: ErrPacket, withState = true): Buffer {
  const writer = new Writer().int1(header.ERR).int2(error.code);
  if (withState) writer.text(`#${error.sqlstate}`);
  // MYSQL_ERRMSG_SIZE: clients keep no more than 512 bytes.
  return writer.text(error.message).done();
}

export function decodeErr(payload: Buffer): ErrPacket {
  const reader = new Reader(payload, 1);
  const code = reader.int2();
  if (reader.left >= 6 && reader.bytes[reader.at] === 0x23) {
    reader.skip(1);
    return { code, sqlstate: reader.view(5).toString('latin1'), message: reader.rest().toString('utf8') };
  }
  return { code, sqlstate: 'HY000', message: reader.rest().toString('utf8') };
}

/** ColumnDefinition41. */
export function decodeColumnDefinition(payload: Buffer, binary: boolean): MysqlField {
  const reader = new Reader(payload);
  reader.lenencView();
  const schema = reader.lenencText();
  const table = reader.lenencText();
  const orgTable = reader.lenencText();
  const name = reader.lenencText();
  const orgName = reader.lenencText();
  if (reader.lenenc() < 12) throw new MalformedPacket('a short column definition');
  const charset = reader.int2();
  const length = reader.int4();
  const type = reader.int1();
  const flags = reader.int2();
  const decimals = reader.int1();
  return { dialect: 'mysql', schema, table, orgTable, name, orgName, charset, length, type, flags, decimals, binary };
}

/** The first packet of the answer to COM_STMT_PREPARE. */
export interface PrepareOk {
  readonly statement: number;
  readonly columns: number;
  readonly parameters: number;
}

export function decodePrepareOk(payload: Buffer): PrepareOk {
  const reader = new Reader(payload, 1);
  const statement = reader.int4();
  const columns = reader.int2();
  return { statement, columns, parameters: reader.int2() };
}
