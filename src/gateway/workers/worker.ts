// One worker of a gateway of several processes: a gateway without a page, that hears and asks the primary.
import { type Config, loadConfig } from '../../config/index.ts';
import { startGateway } from '../../gateway.ts';
import { createLog } from '../log.ts';
import { type Channel, openLine, type Question } from './line.ts';
import { type WorkerOrder, workerVariable } from './primary.ts';

/** Runs until the primary, or a signal, has it drain. It ends with the primary. */
export async function runWorker(file: string, config: Config): Promise<void> {
  const order = JSON.parse(process.env[workerVariable] ?? '{}') as WorkerOrder;
  const log = createLog(undefined, order.name);
  let gateway: Awaited<ReturnType<typeof startGateway>> | undefined;
  let draining: Promise<void> | undefined;

  const drain = (graceMs: number): Promise<void> => {
    draining ??= (gateway?.drain(graceMs) ?? Promise.resolve()).then(
      () => process.exit(0),
      (cause: unknown) => {
        log.error({ err: cause }, 'the drain failed');
        process.exit(1);
      },
    );
    return draining;
  };
  const answer = async (question: Question): Promise<unknown> => {
    switch (question.kind) {
      case 'cancel':
        return gateway?.cancel(question.processId, Buffer.from(question.secret, 'base64')) ?? false;
      case 'kill':
        return gateway?.kill(question.threadId, question.owner) ?? false;
      case 'numbers':
        return gateway?.numbers();
      case 'readiness':
        return gateway?.readiness();
      case 'reload':
        return gateway?.reload(await loadConfig(file));
      case 'drain':
        return drain(question.graceMs);
      default:
        throw new Error('not a question for a worker');
    }
  };

  const line = openLine(process as unknown as Channel, answer);
  process.on('SIGTERM', () => void drain(config.limits.drainTimeoutMs));
  process.on('SIGINT', () => void drain(config.limits.drainTimeoutMs));
  // The primary reads the file first and says so when it is good.
  process.on('SIGHUP', () => undefined);

  gateway = await startGateway(config, log, {
    chain: order.name,
    gateway: order.gateway,
    listens: true,
    hub: false,
    shares: config.workers,
    others: {
      prefix: order.prefix,
      http: order.http,
      cancel(processId, secret) {
        line.ask({ kind: 'cancel', processId, secret: secret.toString('base64') }).catch(() => undefined);
      },
      kill: (threadId, owner) =>
        line.ask({ kind: 'kill', threadId, owner }).then(
          (killed) => killed === true,
          () => false,
        ),
    },
  });
  await line.ask({ kind: 'ready', addresses: { postgres: gateway.postgres, mysql: gateway.mysql } });
}
