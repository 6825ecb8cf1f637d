// `sallyport explain`: what the gateway would say to a statement, without sending it.
import { loadMaskKey } from '../config/index.ts';
import { createLog } from '../gateway/log.ts';
import { Target } from '../gateway/target.ts';
import { judge, type OutputMask, type Verdict } from '../policy/index.ts';
import { columnPath, describeReading, type Reading } from '../sql/index.ts';
import { loadOrFail } from './config.ts';
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
      const verdict = judge(held, reading);
      process.exitCode = Math.max(Number(process.exitCode ?? 0), exitCodes[verdict.kind]);
      process.stdout.write(options.json ? `${JSON.stringify(asJson(reading, verdict))}\n` : asText(reading, verdict));
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

function asJson(reading: Reading, verdict: Verdict) {
  return {
    verdict: verdict.kind,
    rule: verdict.rule,
    role: verdict.role,
    ...(verdict.kind === 'allow' ? {} : { message: verdict.message, hint: verdict.hint }),
    wouldBe: verdict.wouldBe,
    masks:
      verdict.kind === 'deny'
        ? []
        : (verdict.kind === 'hold' ? verdict.after : verdict).masks.map((mask, index) => ({
            output: reading.outputs?.[index]?.name ?? '',
            mask: maskName(mask),
          })),
    reading,
  };
}

function asText(reading: Reading, verdict: Verdict): string {
  const lines = [reading.summary, ...describeReading(reading).map((line) => `  ${line}`)];
  if (verdict.kind !== 'deny') {
    const { masks } = verdict.kind === 'hold' ? verdict.after : verdict;
    masks.forEach((mask, index) => {
      if (mask !== undefined)
        lines.push(`  mask ${reading.outputs?.[index]?.name ?? `column ${index + 1}`}: ${maskName(mask)}`);
    });
  }
  for (const { kind, rule, message } of verdict.wouldBe) lines.push(`  would be: ${kind} by "${rule}" (${message})`);
  if (verdict.kind === 'allow')
    lines.push(`allow by role "${verdict.role}"${verdict.rule === undefined ? '' : ` and rule "${verdict.rule}"`}`);
  else lines.push(`${verdict.kind}: ${verdict.message}`, `  ${verdict.hint}`);
  return `${lines.join('\n')}\n\n`;
}

function maskName(mask: OutputMask | undefined): string {
  if (mask === undefined) return 'none';
  if (mask.kind === 'redact') return `redacted whole, computed from ${mask.because.map(columnPath).join(', ')}`;
  const { spec, observe } = mask.mask;
  const detail =
    'count' in spec
      ? ` ${spec.count}`
      : spec.kind === 'round'
        ? ` ${spec.to}`
        : spec.kind === 'fake'
          ? ` ${spec.of}`
          : '';
  return `${spec.kind}${detail}${observe ? ' (observed only)' : ''}`;
}
