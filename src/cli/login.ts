// `sallyport login`: a token or a SAML assertion in, a short-lived database user and password out.
import { readFile } from 'node:fs/promises';
import { text as readAll } from 'node:stream/consumers';
import { needsStore } from '../config/index.ts';
import { connectionUrl, createIdentity, type ExchangeRequest, exchange } from '../identity/index.ts';
import { openStore } from '../store/index.ts';
import { loadOrFail } from './config.ts';
import { fail } from './output.ts';

export interface LoginOptions {
  readonly config: string;
  readonly target: string;
  /** `-` is standard input. */
  readonly tokenFile?: string;
  readonly samlFile?: string;
  readonly json: boolean;
}

/** Prints the connection URL alone on stdout, or one JSON object. The gateway need not run at this moment. */
export async function login(options: LoginOptions): Promise<void> {
  const config = await loadOrFail(options.config);
  if (config === undefined) return;
  if (!needsStore(config))
    return fail('the configuration issues no credentials: add "credentials: {}" to it, and restart the gateway');
  const proof = await readProof(options);
  if (proof === undefined) return;
  const store = await openStore(config, { as: 'visitor' });
  try {
    const identity = createIdentity(config.identity);
    const answer = await exchange({ config, identity, store, unrecorded: true }, { proof, target: options.target });
    if (answer.kind === 'refused') return fail(`login refused by rule "${answer.check}": ${answer.message}`);
    const { credential } = answer;
    const dialect = config.targets.get(credential.target)?.dialect ?? 'postgres';
    const url = connectionUrl(config, credential, config.listen[dialect]);
    if (options.json) {
      const { user, password, target } = credential;
      const expires = new Date(credential.expiresAt);
      const seconds = Math.max(0, Math.floor((credential.expiresAt - Date.now()) / 1000));
      process.stdout.write(
        `${JSON.stringify({ user, password, target, dialect, expires_in: seconds, expires_at: expires.toISOString(), url })}\n`,
      );
      return;
    }
    // The port is any free one: only the gateway knows it.
    if (url === undefined)
      return fail(`listen.${dialect} names no port to connect to; --json prints user and password`);
    process.stdout.write(`${url}\n`);
  } catch (cause) {
    fail(`the credential could not be issued: ${cause instanceof Error ? cause.message : String(cause)}`);
  } finally {
    await store.close();
  }
}

async function readProof(options: LoginOptions): Promise<ExchangeRequest['proof'] | undefined> {
  const { tokenFile, samlFile } = options;
  const file = tokenFile ?? samlFile;
  if (file === undefined || (tokenFile !== undefined && samlFile !== undefined)) {
    fail('expected --token-file FILE or --saml-file FILE');
    return undefined;
  }
  let content: string;
  try {
    content = file === '-' ? await readAll(process.stdin) : await readFile(file, 'utf8');
  } catch (cause) {
    fail(`${file} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`);
    return undefined;
  }
  return tokenFile === undefined ? { kind: 'assertion', assertion: content } : { kind: 'token', token: content.trim() };
}
