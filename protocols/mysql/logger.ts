// What this room asks of a logger: pino fits.

type Write = (fields: Readonly<Record<string, unknown>>, message: string) => void;

export interface Logger {
  debug: Write;
  info: Write;
  warn: Write;
  error: Write;
}
