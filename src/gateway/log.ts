// The gateway's own log: pino, structured, on stderr so that stdout stays for what programs read.
import { pino } from 'pino';

export type Log = Pick<ReturnType<typeof pino>, 'debug' | 'info' | 'warn' | 'error'>;

/** `level` is one of pino's; SALLYPORT_LOG overrides it. */
export function createLog(level = process.env.SALLYPORT_LOG ?? 'info'): Log {
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: 2, sync: true }),
  );
}
