// `sallyport demo`: hands the demo the product as the other commands start and ask it.
import { readRecords } from '../audit/index.ts';
import { loadConfig } from '../config/index.ts';
import { runDemo } from '../demo/index.ts';
import { createLog } from '../gateway/log.ts';
import { startGateway } from '../gateway.ts';
import { issueLocalToken } from '../identity/index.ts';
import { releaseYoungGeneration } from './memory.ts';

/** Runs the demo; the exit code is 0 only when every step happened. */
export async function demo(once: boolean): Promise<void> {
  process.exitCode = await runDemo({
    once,
    console: true,
    out: process.stdout,
    async startGateway(path) {
      const gateway = await startGateway(await loadConfig(path), createLog('warn'));
      releaseYoungGeneration();
      if (gateway.postgres === undefined) throw new Error('the demo listens for Postgres');
      const link = await gateway.console?.link();
      return {
        postgres: gateway.postgres,
        ...(gateway.mysql === undefined ? {} : { mysql: gateway.mysql }),
        ...(link === undefined ? {} : { console: link }),
        close: () => gateway.drain(0),
      };
    },
    async issueToken(path, { subject, groups, ttlSeconds }) {
      return issueLocalToken(await loadConfig(path), { sub: subject, groups, ttlMs: ttlSeconds * 1000 });
    },
    async readRecords(path) {
      const records = [];
      for await (const { record } of readRecords((await loadConfig(path)).audit.journal)) records.push(record);
      return records;
    },
  });
}
