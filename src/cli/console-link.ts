// `sallyport console-link`: a link that lets one person into the console, once, made by whoever may read the file and its store.
import { createLink, linkMs } from '../console/index.ts';
import { openStore } from '../store/index.ts';
import { loadOrFail } from './config.ts';
import { fail } from './output.ts';

/** Prints the link alone on stdout. */
export async function consoleLink(options: {
  readonly config: string;
  readonly name: string;
  readonly role: string;
  readonly url?: string;
}): Promise<void> {
  const config = await loadOrFail(options.config);
  if (config === undefined) return;
  const role = (['viewer', 'approver', 'admin'] as const).find((each) => each === options.role);
  if (role === undefined)
    return fail(`--role: expected viewer, approver or admin, got ${JSON.stringify(options.role)}`);
  const at = config.listen.console;
  if (at === undefined) return fail('the file gives the console no address (listen.console)');
  const host = at.host.includes(':') ? `[${at.host}]` : at.host;
  const url = options.url ?? `${config.listen.tls === undefined ? 'http' : 'https'}://${host}:${at.port}`;
  const store = await openStore(config, { as: 'visitor' });
  try {
    process.stdout.write(`${url.replace(/\/+$/, '')}/login/link?link=${await createLink(store, options.name, role)}\n`);
    process.stderr.write(`good once and for ${linkMs / 60_000} minutes\n`);
  } finally {
    await store.close();
  }
}
