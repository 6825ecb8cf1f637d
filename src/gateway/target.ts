// What the gateway keeps for each target: its reader (opened when first needed), its policy and its mask key.
import { readFileSync } from 'node:fs';
import type { Upstream, UpstreamTls } from '../../protocols/gate.ts';
import type { Config, TargetConfig } from '../config/index.ts';
import { type MaskKey, maskKey } from '../masking/index.ts';
import { compilePolicy, type TargetPolicy } from '../policy/index.ts';
import { createMysqlReader, createPostgresReader, type SqlReader } from '../sql/index.ts';
import { type Detection, detectionOf } from './detection.ts';
import { CostGuard } from './guards/cost-guard.ts';
import { mysqlPlanner, postgresPlanner } from './guards/planners.ts';
import type { Log } from './log.ts';
import { readerConnection } from './mysql.ts';

export class Target {
  readonly name: string;
  readonly config: TargetConfig;
  readonly policy: TargetPolicy;
  readonly maskKey: MaskKey;
  readonly detection: Detection | undefined;
  readonly #log: Log;
  #reader: Promise<SqlReader> | undefined;
  #costGuard: CostGuard | undefined;
  #sessions = 0;
  #retired = false;

  constructor(target: TargetConfig, config: Config, secret: Buffer, log: Log) {
    this.name = target.name;
    this.config = target;
    this.policy = compilePolicy(config, target.name);
    this.maskKey = maskKey(secret, target.name);
    this.detection = detectionOf(target, config.mode, this.policy);
    this.#log = log;
  }

  /** The reader with its catalog. Rejects while the target cannot be reached; the next call tries anew. */
  reader(): Promise<SqlReader> {
    this.#reader ??= this.#open().catch((cause: unknown) => {
      this.#reader = undefined;
      throw cause;
    });
    return this.#reader;
  }

  /** Asks the planner before statements run, where the file says so. */
  costGuard(): CostGuard | undefined {
    const { costGuard } = this.config;
    if (costGuard === undefined) return undefined;
    this.#costGuard ??= new CostGuard(
      costGuard,
      this.config.dialect === 'mysql'
        ? mysqlPlanner(readerConnection(this.config, this.tls()))
        : postgresPlanner(this.client('sallyport:explain')),
    );
    return this.#costGuard;
  }

  async #open(): Promise<SqlReader> {
    const shared = {
      trustedFunctions: this.config.trustedFunctions,
      refreshIntervalMs: this.config.catalogRefreshMs,
      log: (message: string) => this.#log.info({ target: this.name }, message),
    };
    if (this.config.dialect === 'mysql') {
      return createMysqlReader({ connect: readerConnection(this.config, this.tls()), ...shared });
    }
    return createPostgresReader({
      connect: this.client('sallyport:catalog'),
      ...shared,
    });
  }

  /** A connection of the gateway's own to a Postgres target, in node-postgres' words. */
  client(applicationName: string) {
    const { host, port, database, user, password, connectTimeoutMs } = this.config;
    return {
      host,
      port,
      database,
      user,
      password: password?.reveal(),
      ssl: pgTls(this.tls(), host),
      application_name: applicationName,
      connectionTimeoutMillis: connectTimeoutMs,
    };
  }

  tls(): UpstreamTls {
    const { mode, ca, cert, key } = this.config.tls;
    return {
      mode,
      ...(ca === undefined ? {} : { ca: readFileSync(ca) }),
      ...(cert === undefined ? {} : { cert: readFileSync(cert) }),
      ...(key === undefined ? {} : { key: readFileSync(key) }),
    };
  }

  /** Where and as whom a session of this target connects. */
  upstream(
    parameters: ReadonlyMap<string, string>,
    limits: Pick<Upstream, 'settings' | 'statementTimeoutMs'>,
  ): Upstream {
    const { host, port, database, user } = this.config;
    return {
      target: this.name,
      host,
      port,
      database,
      user,
      password: this.config.password?.reveal(),
      tls: this.tls(),
      parameters,
      ...limits,
    };
  }

  /** A session uses the reader until `release`. */
  use(): void {
    this.#sessions++;
  }

  release(): void {
    this.#sessions--;
    if (this.#retired && this.#sessions === 0) void this.close();
  }

  /** A reload has replaced this target: its reader closes behind the last session that uses it. */
  retire(): void {
    this.#retired = true;
    if (this.#sessions === 0) void this.close();
  }

  async close(): Promise<void> {
    const reader = this.#reader;
    this.#reader = undefined;
    const guard = this.#costGuard;
    this.#costGuard = undefined;
    await guard?.close();
    await reader?.then(
      (open) => open.close(),
      () => undefined,
    );
  }
}

/** node-postgres' form of the TLS modes. */
function pgTls(tls: UpstreamTls, host: string) {
  if (tls.mode === 'disable') return false;
  return {
    rejectUnauthorized: tls.mode !== 'require',
    servername: host,
    ...(tls.mode === 'verify-ca' ? { checkServerIdentity: () => undefined } : {}),
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
  };
}
