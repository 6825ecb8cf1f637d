// What is MySQL's own between the gateway's rooms: the listener, the reader's connection, and what a session sets at its server.
import type { ConnectionOptions } from 'mysql2/promise';
import type { ClientHello, Gate, Refusal, UpstreamTls } from '../../protocols/gate.ts';
import { createMysqlListener, type MysqlListener } from '../../protocols/mysql/index.ts';
import type { Config, TargetConfig } from '../config/index.ts';
import { certificate, type Listening, listen } from './listeners.ts';
import type { Log } from './log.ts';
import { loginRefusal } from './refusals.ts';
import type { Part } from './workers/part.ts';

export interface OpenMysql extends Listening {
  readonly listener: MysqlListener;
}

/** Listens for MySQL clients where the file gives an address. */
export async function openMysql(
  config: Config,
  gate: Gate,
  log: Log,
  { shares, others }: Part,
): Promise<OpenMysql | undefined> {
  const { mysql: address, tls } = config.listen;
  if (address === undefined) return undefined;
  const targets = [...config.targets.values()];
  const listener = createMysqlListener({
    gate,
    logger: log,
    ...(others === undefined ? {} : { killElsewhere: others.kill }),
    ...(tls === undefined ? {} : { tls: certificate(tls.cert, tls.key) }),
    limits: {
      loginMs: config.limits.loginTimeoutMs,
      maxUnauthenticated: Math.ceil(config.limits.unauthenticated / shares),
      connectMs: Math.max(...targets.map(({ connectTimeoutMs }) => connectTimeoutMs)),
      maxStatementBytes: Math.max(...targets.map(({ maxStatementBytes }) => maxStatementBytes)),
    },
  });
  return { listener, ...(await listen(address, (socket) => listener.handle(socket))) };
}

/** mysql2's options for the gateway's own connection to a target. */
export function readerConnection(target: TargetConfig, tls: UpstreamTls): ConnectionOptions {
  const { host, port, database, user, password } = target;
  const ssl = mysqlTls(tls);
  return {
    host,
    port,
    database,
    user,
    password: password?.reveal() ?? '',
    connectTimeout: target.connectTimeoutMs,
    connectAttributes: { program_name: 'sallyport:catalog' },
    ...(ssl === undefined ? {} : { ssl }),
  };
}

/** mysql2's form of the TLS modes. */
function mysqlTls(tls: UpstreamTls): ConnectionOptions['ssl'] {
  if (tls.mode === 'disable') return undefined;
  return {
    rejectUnauthorized: tls.mode !== 'require',
    verifyIdentity: tls.mode === 'verify-full',
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
  };
}

/** Connection attributes of a session: who it is, in performance_schema.session_connect_attrs. */
export function connectionAttributes(config: Config, hello: ClientHello, identity: string): Map<string, string> {
  if (config.keepApplicationName && hello.parameters.has('program_name')) return new Map();
  return new Map([['program_name', `sallyport:${identity}`]]);
}

/** The target a client names: the database, or for MySQL clients without one the user. */
export function targetNamed(hello: ClientHello): string | undefined {
  return hello.database ?? (hello.dialect === 'mysql' && hello.user !== '' ? hello.user : undefined);
}

/** A client of one protocol cannot speak to a target of the other. */
export function wrongProtocol(target: TargetConfig, hello: ClientHello): Refusal | undefined {
  if (target.dialect === hello.dialect) return undefined;
  const names = { postgres: 'PostgreSQL', mysql: 'MySQL' };
  return loginRefusal(
    'wrong-protocol',
    `the target "${target.name}" is reached over the ${names[target.dialect]} protocol`,
    `Connect to the gateway's ${names[target.dialect]} port.`,
  );
}
