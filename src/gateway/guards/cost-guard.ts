// The cost guard: before a statement runs, the target's own planner is asked what it expects; above the file's threshold it is denied or
// held. What the planner cannot be asked about (temporary tables, utility statements) passes: `statement-timeout` is for that.
import { createHash } from 'node:crypto';
import type { Estimate } from '../../approvals/index.ts';
import type { TargetConfig } from '../../config/index.ts';
import type { Verdict } from '../../policy/index.ts';
import type { Reading } from '../../sql/index.ts';
import type { Explained } from '../estimate.ts';
import type { Planner } from './planners.ts';

type Allowed = Extract<Verdict, { kind: 'allow' }>;
type CostGuardConfig = NonNullable<TargetConfig['costGuard']>;

export const costRule = 'cost-guard';

/** Plans are asked for anew after this long: tables grow. */
const goodForMs = 30_000;
const mostKept = 2000;

interface Kept {
  readonly estimate: Estimate;
  readonly until: number;
}

export class CostGuard {
  readonly #config: CostGuardConfig;
  readonly #planner: Planner;
  readonly #kept = new Map<string, Kept>();

  constructor(config: CostGuardConfig, planner: Planner) {
    this.#config = config;
    this.#planner = planner;
  }

  /** Whether the planner can be asked about it at all. */
  asks(reading: Reading): boolean {
    return this.#planner.asks(reading);
  }

  /** The verdict once the planner has been asked. Never rejects. */
  async judge(allowed: Allowed, explained: Explained): Promise<Verdict> {
    const estimate = await this.#estimate(explained);
    const over = exceeded(estimate, this.#config);
    if (over === undefined) return allowed;
    const { summary } = explained.reading;
    const { verdict, approvers } = this.#config;
    if (verdict === 'hold') {
      return {
        kind: 'hold',
        rule: costRule,
        message: `held by rule "${costRule}": ${summary} (${over})`,
        hint: `It runs when ${approvers?.groups.join(', ') ?? 'somebody'} agree. A narrower condition would not be held.`,
        role: allowed.role,
        approvers: approvers ?? { groups: [], count: 1, timeoutMs: 0 },
        wouldBe: allowed.wouldBe,
        after: allowed,
      };
    }
    return {
      kind: 'deny',
      rule: costRule,
      message: `denied by rule "${costRule}": ${summary} (${over})`,
      hint: 'Narrow it down: a condition on an indexed column, a LIMIT, fewer joins. EXPLAIN shows what the server expects.',
      role: allowed.role,
      wouldBe: allowed.wouldBe,
    };
  }

  async #estimate(explained: Explained): Promise<Estimate> {
    const key = keyOf(explained);
    const known = this.#kept.get(key);
    if (known !== undefined && known.until > Date.now()) return known.estimate;
    const estimate = await this.#ask(explained);
    this.#kept.delete(key);
    this.#kept.set(key, { estimate, until: Date.now() + goodForMs });
    if (this.#kept.size > mostKept) {
      for (const oldest of this.#kept.keys()) {
        this.#kept.delete(oldest);
        break;
      }
    }
    return estimate;
  }

  async #ask(explained: Explained): Promise<Estimate> {
    try {
      return await this.#planner.ask(explained);
    } catch {
      return { kind: 'none', why: 'the planner could not be asked' };
    }
  }

  async close(): Promise<void> {
    await this.#planner.close();
  }
}

/** What is too much, in words; undefined where nothing is. */
export function exceeded(estimate: Estimate, { rows, cost }: CostGuardConfig): string | undefined {
  if (estimate.kind === 'none') return undefined;
  if (rows !== undefined && estimate.rows > rows)
    return `the server expects ${Math.round(estimate.rows)} rows, more than ${rows}`;
  if (cost !== undefined && estimate.cost > cost)
    return `the server expects a cost of ${Math.round(estimate.cost)}, more than ${cost}`;
  return undefined;
}

/** Texts and parameters with the same hash get the same plan for a while. */
function keyOf({ text, parameters }: Explained): string {
  const hash = createHash('sha256').update(text);
  for (const { type, binary, value } of parameters) {
    hash.update(`\0${type} ${binary} ${value?.length ?? -1}\0`);
    if (value !== undefined) hash.update(value);
  }
  return hash.digest('base64');
}
