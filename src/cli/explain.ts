// `sallyport explain`: what the gateway would say to a statement, without sending it.
import { loadMaskKey } from '../config/index.ts';
import { createLog } from '../gateway/log.ts';
import { Target } from '../gateway/target.ts';
import { literalsWrittenBack } from '../gateway/write-back.ts';
import { findings, judge, type Verdict } from '../policy/index.ts';
import { loadOrFail } from './config.ts';
import { asJson, asText } from './explanation.ts';
import { fail } from './output.ts';

const exitCodes: Record<Verdict['kind'], number> = { allow: 0, hold: 3, deny: 4 };

/** Prints reading, verdict and masks of each statement in the text. The exit code is that of the strictest: deny, hold, allow. */
export async function explain(
  sql: string,
  options: {
    readonly config: string;
    readonly target: string;
    readonly groups: readonly string[];
    readonly json: boolean;
  },
): Promise<void> {
  const config = await loadOrFail(options.config);
  if (config === undefined) return;
  const settings = config.targets.get(options.target);
  if (settings === undefined) return fail(`there is no target "${options.target}" in ${options.config}`);
  const target = new Target(settings, config, await loadMaskKey(config), createLog('warn'));
  try {
    const reader = await target.reader().catch((cause: unknown) => {
      fail(
        `the target "${options.target}" cannot be reached: ${cause instanceof Error ? cause.message : String(cause)}`,
      );
    });
    if (reader === undefined) return;
    const held = target.policy.forIdentity(options.groups, [], new Date());
    const read = await reader.session(new Map()).read(sql);
    if (read.kind !== 'read')
      return report({
        json: options.json,
        verdict: 'deny',
        rule: read.kind === 'forbidden' ? read.rule : 'unreadable',
        message: read.message,
      });
    if (held.kind === 'no-role')
      return report({ json: options.json, verdict: 'deny', rule: 'no-role', message: held.message });
    for (const { reading } of read.statements) {
      const verdict = judge(held, reading, reader);
      const parts = { policy: held, reader, maskKey: target.maskKey };
      const writtenBack = verdict.kind === 'deny' ? undefined : literalsWrittenBack(reading, parts);
      if (writtenBack !== undefined) {
        const { rule, message } = writtenBack;
        report({ json: options.json, verdict: 'deny', rule, message });
        continue;
      }
      const explained = { text: sql, reading, verdict, findings: findings(held, reading) };
      process.exitCode = Math.max(Number(process.exitCode ?? 0), exitCodes[verdict.kind]);
      process.stdout.write(options.json ? `${JSON.stringify(asJson(explained))}\n` : asText(explained));
    }
  } finally {
    await target.close();
  }
}

/** A text that never came to a reading. */
function report(outcome: { json: boolean; verdict: 'deny'; rule: string; message: string }): void {
  const { json, ...rest } = outcome;
  process.exitCode = exitCodes.deny;
  process.stdout.write(json ? `${JSON.stringify(rest)}\n` : `deny by rule "${rest.rule}": ${rest.message}\n`);
}
