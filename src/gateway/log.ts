// The gateway's own log: pino, structured, on stderr so that stdout stays for what programs read.
import { pino } from 'pino';

export type Log = Pick<ReturnType<typeof pino>, 'debug' | 'info' | 'warn' | 'error'>;

/** `level` is one of pino's; SALLYPORT_LOG overrides it. `worker`: the process's name, where a gateway is several. */
export function createLog(level = process.env.SALLYPORT_LOG ?? 'info', worker?: string): Log {
  const base = worker === undefined ? null : { worker };
  return pino(
    { level, base, timestamp: pino.stdTimeFunctions.isoTime, serializers: { err: errorFields } },
    pino.destination({ dest: 2, sync: true }),
  );
}

/** What the log says of an error. Drivers hang whole connections on theirs, keys of the session included: only what is named is taken. */
export function errorFields(cause: unknown): unknown {
  if (!(cause instanceof Error)) return typeof cause === 'string' ? cause : String(cause);
  const code = 'code' in cause && typeof cause.code === 'string' ? { code: cause.code } : {};
  const because = cause.cause === undefined ? {} : { cause: errorFields(cause.cause) };
  return { type: cause.name, message: cause.message, ...code, stack: cause.stack, ...because };
}
