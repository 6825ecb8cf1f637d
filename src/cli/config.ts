// Loads the configuration for a command, or says what is wrong with it.
import { type Config, ConfigError, loadConfig } from '../config/index.ts';
import { fail } from './output.ts';

/** Undefined when the file cannot be used: the faults stand on stderr and the exit code is 1. */
export async function loadOrFail(file: string): Promise<Config | undefined> {
  try {
    return await loadConfig(file);
  } catch (cause) {
    if (!(cause instanceof ConfigError)) throw cause;
    fail(cause.message);
    return undefined;
  }
}
