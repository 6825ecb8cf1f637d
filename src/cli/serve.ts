// `sallyport serve`: the gateway as a process, or as several. SIGTERM and SIGINT drain, SIGHUP reloads the file.
import cluster from 'node:cluster';
import { gatewayName } from '../approvals/index.ts';
import { type Config, configRemarks, loadConfig } from '../config/index.ts';
import { createLog, type Log } from '../gateway/log.ts';
import { type Addresses, whole } from '../gateway/workers/part.ts';
import { createPrimary } from '../gateway/workers/primary.ts';
import { type RunningGateway, startGateway } from '../gateway.ts';
import { loadOrFail } from './config.ts';
import { releaseYoungGeneration } from './memory.ts';

/** Prints one line `ready` with the addresses on stdout once every listener accepts. */
export async function serve(file: string): Promise<void> {
  const config = await loadOrFail(file);
  if (config === undefined) return;
  // The same command, started by the primary.
  if (cluster.isWorker) {
    await (await import('../gateway/workers/worker.ts')).runWorker(file, config);
    return releaseYoungGeneration();
  }
  const log = createLog();
  const remark = async (file: Config) => {
    for (const line of await configRemarks(file)) log.warn(line);
  };
  await remark(config);
  const { gateway, addresses } =
    config.workers > 1 ? await startSeveral(file, config, log) : await startOne(config, log);
  releaseYoungGeneration();

  process.on('SIGHUP', () => {
    loadConfig(file)
      .then(async (fresh: Config) => {
        await remark(fresh);
        if (fresh.workers !== config.workers)
          log.warn({ workers: config.workers }, 'the number of workers changes at a restart only');
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
  // Whoever reads this line may send a signal at once.
  process.stdout.write(`ready ${shown(addresses, gateway).join(' ')}\n`);
}

interface Started {
  readonly gateway: RunningGateway;
  readonly addresses: Addresses;
}

async function startOne(config: Config, log: Log): Promise<Started> {
  const gateway = await startGateway(config, log);
  return { gateway, addresses: gateway };
}

/** The primary: store, page and HTTP port here, sessions with the workers. */
async function startSeveral(file: string, config: Config, log: Log): Promise<Started> {
  const name = gatewayName();
  const [, command = ''] = process.argv;
  let primaryGateway: RunningGateway | undefined;
  const crew = createPrimary({
    workers: config.workers,
    command: [command, 'serve', '-c', file],
    gateway: name,
    log,
    crashed: async (worker) => primaryGateway?.approvals?.gone(worker),
  });
  const gateway = await startGateway(config, log, { ...whole, gateway: name, listens: false, crew });
  primaryGateway = gateway;
  try {
    await crew.start(gateway.console?.outside);
  } catch (cause) {
    await gateway.drain(0);
    throw cause;
  }
  return { gateway, addresses: crew.addresses };
}

function shown({ postgres, mysql }: Addresses, { console: page }: RunningGateway): string[] {
  return [
    ...(postgres === undefined ? [] : [`postgres=${postgres.host}:${postgres.port}`]),
    ...(mysql === undefined ? [] : [`mysql=${mysql.host}:${mysql.port}`]),
    ...(page === undefined ? [] : [`console=${page.url}`]),
  ];
}
