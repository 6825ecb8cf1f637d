// What this room needs of a logger; pino's has it.

type Log = (fields: Readonly<Record<string, unknown>>, message: string) => void;

export interface Logger {
  debug: Log;
  info: Log;
  warn: Log;
  error: Log;
}
