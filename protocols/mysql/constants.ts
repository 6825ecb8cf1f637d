// Numbers of the MySQL protocol under the names its documentation gives them.

/** Capabilities (client and server flags of the connection phase). */
export const capability = {
  LONG_PASSWORD: 1,
  FOUND_ROWS: 1 << 1,
  LONG_FLAG: 1 << 2,
  CONNECT_WITH_DB: 1 << 3,
  COMPRESS: 1 << 5,
  IGNORE_SPACE: 1 << 8,
  PROTOCOL_41: 1 << 9,
  INTERACTIVE: 1 << 10,
  SSL: 1 << 11,
  TRANSACTIONS: 1 << 13,
  SECURE_CONNECTION: 1 << 15,
  MULTI_STATEMENTS: 1 << 16,
  MULTI_RESULTS: 1 << 17,
  PS_MULTI_RESULTS: 1 << 18,
  PLUGIN_AUTH: 1 << 19,
  CONNECT_ATTRS: 1 << 20,
  PLUGIN_AUTH_LENENC_CLIENT_DATA: 1 << 21,
  SESSION_TRACK: 1 << 23,
  DEPRECATE_EOF: 1 << 24,
  OPTIONAL_RESULTSET_METADATA: 1 << 25,
  QUERY_ATTRIBUTES: 1 << 27,
} as const;

/** MariaDB's capabilities above bit 31, as they stand in the last four filler bytes of the greeting. */
export const extendedCapability = {
  STMT_BULK_OPERATIONS: 1 << 2,
} as const;

/**
 * What a client may have. Left out on purpose: LOCAL INFILE, zstd, multi-factor
 * authentication, NO_SCHEMA (it changes how names are read) and everything not known.
 */
export const offeredCapabilities =
  capability.LONG_PASSWORD |
  capability.FOUND_ROWS |
  capability.LONG_FLAG |
  capability.CONNECT_WITH_DB |
  capability.COMPRESS |
  capability.IGNORE_SPACE |
  capability.PROTOCOL_41 |
  capability.INTERACTIVE |
  capability.TRANSACTIONS |
  capability.SECURE_CONNECTION |
  capability.MULTI_STATEMENTS |
  capability.MULTI_RESULTS |
  capability.PS_MULTI_RESULTS |
  capability.PLUGIN_AUTH |
  capability.CONNECT_ATTRS |
  capability.PLUGIN_AUTH_LENENC_CLIENT_DATA |
  capability.SESSION_TRACK |
  capability.DEPRECATE_EOF |
  capability.OPTIONAL_RESULTSET_METADATA |
  capability.QUERY_ATTRIBUTES;

/** Status flags of OK and EOF packets. */
export const status = {
  IN_TRANS: 1,
  AUTOCOMMIT: 2,
  MORE_RESULTS_EXISTS: 8,
  CURSOR_EXISTS: 0x40,
  LAST_ROW_SENT: 0x80,
  IN_TRANS_READONLY: 0x2000,
  SESSION_STATE_CHANGED: 0x4000,
} as const;

/** First bytes of commands. */
export const command = {
  SLEEP: 0x00,
  QUIT: 0x01,
  INIT_DB: 0x02,
  QUERY: 0x03,
  FIELD_LIST: 0x04,
  STATISTICS: 0x09,
  PROCESS_KILL: 0x0c,
  PING: 0x0e,
  CHANGE_USER: 0x11,
  STMT_PREPARE: 0x16,
  STMT_EXECUTE: 0x17,
  STMT_SEND_LONG_DATA: 0x18,
  STMT_CLOSE: 0x19,
  STMT_RESET: 0x1a,
  SET_OPTION: 0x1b,
  STMT_FETCH: 0x1c,
  RESET_CONNECTION: 0x1f,
  STMT_BULK_EXECUTE: 0xfa,
} as const;

/** Commands that are never carried out, for the error message. */
export const refusedCommands: ReadonlyMap<number, string> = new Map([
  [0x00, 'COM_SLEEP'],
  [0x05, 'COM_CREATE_DB'],
  [0x06, 'COM_DROP_DB'],
  [0x07, 'COM_REFRESH'],
  [0x08, 'COM_SHUTDOWN'],
  [0x0a, 'COM_PROCESS_INFO'],
  [0x0b, 'COM_CONNECT'],
  [0x0d, 'COM_DEBUG'],
  [0x0f, 'COM_TIME'],
  [0x10, 'COM_DELAYED_INSERT'],
  [0x12, 'COM_BINLOG_DUMP'],
  [0x13, 'COM_TABLE_DUMP'],
  [0x14, 'COM_CONNECT_OUT'],
  [0x15, 'COM_REGISTER_SLAVE'],
  [0x1d, 'COM_DAEMON'],
  [0x1e, 'COM_BINLOG_DUMP_GTID'],
  [0x20, 'COM_CLONE'],
  [0x21, 'COM_SUBSCRIBE_GROUP_REPLICATION_STREAM'],
  [0xfe, 'COM_MULTI'],
]);

/** First bytes of what a server answers. */
export const header = { OK: 0x00, LOCAL_INFILE: 0xfb, EOF: 0xfe, ERR: 0xff } as const;

/** In a text row: this value is NULL. */
export const nullValue = 0xfb;

/** Column types whose binary form matters here; all others are length-encoded strings. */
export const fieldType = {
  TINY: 0x01,
  SHORT: 0x02,
  LONG: 0x03,
  FLOAT: 0x04,
  DOUBLE: 0x05,
  NULL: 0x06,
  TIMESTAMP: 0x07,
  LONGLONG: 0x08,
  INT24: 0x09,
  DATE: 0x0a,
  TIME: 0x0b,
  DATETIME: 0x0c,
  YEAR: 0x0d,
} as const;

/** The largest payload of one packet; a payload of just this length goes on in the next packet. */
export const maxPayload = 0xff_ff_ff;

/** Error codes this room sends itself. */
export const errorCode = {
  TOO_MANY_CONNECTIONS: 1040,
  HANDSHAKE: 1043,
  ACCESS_DENIED: 1045,
  UNKNOWN_CHARSET: 1115,
  UNKNOWN_COMMAND: 1047,
  SERVER_SHUTDOWN: 1053,
  SYNTAX: 1064,
  EMPTY_QUERY: 1065,
  KILL_DENIED: 1095,
  UNKNOWN: 1105,
  NOT_ALLOWED: 1142,
  NO_SUCH_THREAD: 1094,
  PACKET_TOO_LARGE: 1153,
  READ_ERROR: 1158,
  OUT_OF_ORDER: 1156,
  NOT_SUPPORTED: 1235,
  UNKNOWN_STATEMENT: 1243,
  INTERRUPTED: 1317,
  MALFORMED_PACKET: 1835,
  CONNECTION_KILLED: 1927,
  SERVER_GONE: 1080,
  CLIENT_TIMEOUT: 4031,
} as const;

/** Variables whose changes the server is asked to report: they decide how statements are read, or the client is told of them. */
export const trackedVariables = [
  'sql_mode',
  'character_set_client',
  'character_set_connection',
  'character_set_results',
  'collation_connection',
  'autocommit',
  'time_zone',
] as const;
