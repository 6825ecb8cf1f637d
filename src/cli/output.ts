// How the command line speaks: errors on stderr, colour only where it is wanted.

/** Prints a message for a person and sets the exit code; the process ends by itself. */
export function fail(message: string, code = 1): void {
  process.stderr.write(`${message}\n`);
  process.exitCode = code;
}

/** True when `stream` is a terminal that wants colour (https://no-color.org). */
export function colours(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY === true && (process.env.NO_COLOR ?? '') === '';
}
