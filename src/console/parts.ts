// What the gateway hands the console when it starts it.
import type { AuditSink } from '../audit/index.ts';
import type { Config } from '../config/index.ts';
import type { Verification } from '../identity/index.ts';
import type { Queries } from '../store/index.ts';
import type { Live } from './live.ts';
import type { DecisionSource, Health, RecordSource, SessionSource } from './sources.ts';

export interface ConsoleParts {
  /** The configuration as it is now; a reload changes it. */
  readonly config: () => Config;
  readonly verify: (token: string) => Promise<Verification>;
  readonly store: Queries;
  readonly audit: AuditSink;
  readonly live: Live;
  readonly records: RecordSource;
  readonly sessions: SessionSource;
  /** Left out: this gateway holds nothing and grants nothing. */
  readonly decisions?: DecisionSource;
  readonly log: ConsoleLog;
  /** Whether this process is alive, and whether it can take sessions. */
  readonly healthy: () => Health;
  readonly ready: () => Promise<Health>;
  /** Handlers of other rooms by their path, e.g. `/metrics`; they answer for themselves who may ask. `env` holds the connection. */
  readonly mounts?: ReadonlyMap<string, (request: Request, env: object) => Response | Promise<Response>>;
}

export interface ConsoleLog {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}
