// `sallyport serve`: the gateway as a process. SIGTERM and SIGINT drain, SIGHUP reloads the file.
import { type Config, configRemarks, loadConfig } from '../config/index.ts';
import { createLog } from '../gateway/log.ts';
import { startGateway } from '../gateway.ts';
import { loadOrFail } from './config.ts';
import { releaseYoungGeneration } from './memory.ts';

/** Prints one line `ready` with the addresses on stdout once every listener accepts. */
export async function serve(file: string): Promise<void> {
  const config = await loadOrFail(file);
  if (config === undefined) return;
  const log = createLog();
  const remark = async (file: Config) => {
    for (const line of await configRemarks(file)) log.warn(line);
  };
  await remark(config);
  const gateway = await startGateway(config, log);
  releaseYoungGeneration();
  process.stdout.write(`ready ${addresses(gateway).join(' ')}\n`);

  process.on('SIGHUP', () => {
    loadConfig(file)
      .then(async (fresh: Config) => {
        await remark(fresh);
        await gateway.reload(fresh);
      })
      .catch((cause: unknown) => log.error({ err: cause }, 'the new configuration is not taken; the old one stays'));
  });
  let draining = false;
  const drain = (signal: NodeJS.Signals) => {
    // A second signal means now.
    if (draining) process.exit(130);
    draining = true;
    log.info({ signal, sessions: gateway.sessions.size }, 'draining');
    gateway.drain(config.limits.drainTimeoutMs).then(
      () => process.exit(0),
      (cause: unknown) => {
        log.error({ err: cause }, 'the drain failed');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', drain);
  process.on('SIGINT', drain);
}

function addresses(gateway: Awaited<ReturnType<typeof startGateway>>): string[] {
  const { postgres, mysql, console: page } = gateway;
  return [
    ...(postgres === undefined ? [] : [`postgres=${postgres.host}:${postgres.port}`]),
    ...(mysql === undefined ? [] : [`mysql=${mysql.host}:${mysql.port}`]),
    ...(page === undefined ? [] : [`console=${page.url}`]),
  ];
}
