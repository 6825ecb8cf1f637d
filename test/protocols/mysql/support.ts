// A small gate for the tests of the MySQL room: it knows no SQL, and does what the test's own functions say.
import type {
  BoundParameters,
  ClientHello,
  FieldMask,
  GateSession,
  Judgement,
  MaybePromise,
  MysqlField,
  Opened,
  Plan,
  Refusal,
  SessionId,
  Shaped,
  Upstream,
} from '../../../protocols/gate.ts';
import { createMysqlListener, type MysqlListener, type MysqlListenerOptions } from '../../../protocols/mysql/index.ts';
import type { MariadbServer } from '../../support/mariadb.ts';
import {
  executionOf,
  keepingLogger,
  refusal,
  type ScriptedGate,
  type Settled,
  scriptedGate,
  serve,
} from '../support.ts';

export { nothing, refusal, type Settled, stars, word } from '../support.ts';

/** What a test makes of the gate; what is left out allows. */
export interface Script extends ScriptedGate {
  readonly judge?: (text: string, arrival: 'simple' | 'extended') => MaybePromise<Judgement> | undefined;
  readonly plan?: (text: string) => Partial<Plan>;
  readonly open?: (text: string, parameters: BoundParameters | undefined) => MaybePromise<Opened> | undefined;
  readonly masks?: (field: MysqlField) => FieldMask | undefined;
  readonly shape?: (fields: readonly MysqlField[]) => Shaped;
  readonly upstream?: Partial<Upstream>;
  readonly parameter?: (name: string, value: string) => Refusal | undefined;
  readonly reset?: () => void;
  readonly owner?: (hello: ClientHello) => string;
  readonly limits?: MysqlListenerOptions['limits'];
  readonly listener?: Partial<MysqlListenerOptions>;
}

export interface Gateway {
  readonly port: number;
  readonly listener: MysqlListener;
  readonly settled: Settled[];
  readonly opened: string[];
  readonly hellos: ClientHello[];
  readonly ends: string[];
  readonly statuses: string[];
  readonly parameters: Map<string, string>;
  readonly errors: unknown[];
  /** Ends a session as the gateway would when an identity expires. */
  endSessions(refusal: Refusal): void;
  /** Options for mysql2. */
  login(more?: object): { host: string; port: number; user: string; password: string; database: string };
  allow(text: string): Extract<Judgement, { kind: 'allow' }>;
  stop(): Promise<void>;
}

/** Splits as far as these tests need it: no semicolons inside of statements but in quotes. */
export function split(text: string): string[] {
  return (text.match(/(?:'(?:[^'\\]|''|\\.)*'|[^;'])+/gs) ?? [])
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

type Target = Pick<MariadbServer, 'host' | 'port' | 'user' | 'password'> & { readonly database: string };

export async function startGateway(server: Target, script: Script = {}): Promise<Gateway> {
  const settled: Settled[] = [];
  const opened: string[] = [];
  const hellos: ClientHello[] = [];
  const ends: string[] = [];
  const statuses: string[] = [];
  const parameters = new Map<string, string>();
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
        const columns = fields.flatMap((field) => (field.dialect === 'mysql' ? [field] : []));
        if (script.shape !== undefined) return script.shape(columns);
        const masks = columns.map((field) => script.masks?.(field));
        return { kind: 'rows', masks: masks.some(Boolean) ? masks : undefined };
      },
      shapeCopy: () => ({ kind: 'refused', refusal: refusal('no copy') }),
      withholdsErrors: false,
      barrier: false,
      maxRows: undefined,
      ...(/^\s*(?:call|execute|begin not atomic)/i.test(text) ? { manyResults: true } : {}),
      ...script.plan?.(text),
    };
  }

  function session(hello: ClientHello): GateSession {
    count += 1;
    return {
      id: `s${count}` as SessionId,
      ...(script.owner === undefined ? {} : { owner: script.owner(hello) }),
      upstream: {
        target: 'crm',
        host: server.host,
        port: server.port,
        database: server.database,
        user: server.user,
        password: server.password,
        tls: { mode: 'disable' },
        parameters: new Map([['program_name', 'sallyport:test']]),
        ...script.upstream,
      },
      masks: script.masks !== undefined || script.shape !== undefined,
      judge: (text, arrival) => script.judge?.(text, arrival) ?? allow(text),
      parameter(name, value) {
        parameters.set(name, value);
        return script.parameter?.(name, value);
      },
      transaction: (status) => void statuses.push(status),
      reset: () => script.reset?.(),
      onEnd: (listener) => void enders.add(listener),
      end: (cause) => void ends.push(cause),
    };
  }

  function allow(text: string): Extract<Judgement, { kind: 'allow' }> {
    return { kind: 'allow', text: `${text}/*identity='test'*/`, plans: split(text).map(plan) };
  }

  const gate = scriptedGate(script, hellos, session);
  const listener = createMysqlListener({
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
    parameters,
    errors,
    endSessions: (reason) => {
      for (const end of enders) end(reason);
    },
    login: (more = {}) => ({
      host: '127.0.0.1',
      port,
      user: 'agent',
      password: script.token ?? 'token',
      database: 'crm',
      ...more,
    }),
    allow,
    stop,
  };
}
