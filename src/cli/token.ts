// `sallyport token`: a token from the local issuer of the file, for development.
import { parseDuration } from '../config/index.ts';
import { issueLocalToken } from '../identity/index.ts';
import { loadOrFail } from './config.ts';
import { fail } from './output.ts';

/** Prints the token alone on stdout. */
export async function token(options: {
  readonly config: string;
  readonly sub: string;
  readonly groups: readonly string[];
  readonly ttl: string;
}): Promise<void> {
  const config = await loadOrFail(options.config);
  if (config === undefined) return;
  const ttlMs = parseDuration(options.ttl);
  if (ttlMs === undefined || ttlMs < 1000)
    return fail(`--ttl: expected a duration such as 15m or 1h, got ${JSON.stringify(options.ttl)}`);
  try {
    const issued = await issueLocalToken(config, { sub: options.sub, groups: options.groups, ttlMs });
    process.stdout.write(`${issued}\n`);
  } catch (cause) {
    fail(cause instanceof Error ? cause.message : String(cause));
  }
}
