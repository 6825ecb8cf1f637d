// `sallyport approvals`: held statements and requests for roles, and what people say to them.
import type { Estimate, Grant, Hold, Opinion } from '../approvals/index.ts';
import { inert, inertJson } from '../audit/index.ts';
import { formatDuration } from '../config/index.ts';
import { durationOf, inRoom, personOf, taken } from './approvals-room.ts';

/** Prints what waits for a decision, or with `all` what was decided lately too; one JSON object a line with `json`. */
export async function listApprovals(options: {
  readonly config: string;
  readonly all: boolean;
  readonly json: boolean;
}): Promise<void> {
  await inRoom(options.config, async ({ approvals }) => {
    const holds = await approvals.holds.list(
      options.all ? { states: ['pending', 'approved', 'denied', 'withdrawn', 'expired'], most: 100 } : {},
    );
    const grants = await approvals.grants.list({
      states: options.all ? ['pending', 'active', 'denied', 'withdrawn', 'expired', 'revoked'] : ['pending'],
      ...(options.all ? { most: 100 } : {}),
    });
    if (options.json) {
      for (const hold of holds) print(inertJson({ kind: 'hold', ...hold }));
      for (const grant of grants) print(inertJson({ kind: 'grant', ...grant }));
      return;
    }
    if (holds.length + grants.length === 0) return print('nothing waits for a decision');
    for (const hold of holds) for (const line of holdLines(hold)) print(line);
    for (const grant of grants) for (const line of grantLines(grant)) print(line);
  });
}

/** Takes one person's word on a held statement (`h-…`) or a request for a role (`g-…`). */
export async function decide(
  id: string,
  verdict: 'approve' | 'deny',
  options: {
    readonly config: string;
    readonly reason?: string;
    readonly for?: string;
    readonly tokenFile?: string;
    readonly json: boolean;
  },
): Promise<void> {
  await inRoom(options.config, async (room) => {
    const answer = {
      verdict,
      by: await personOf(room.config, options.tokenFile),
      reason: options.reason,
      forMs: options.for === undefined ? undefined : durationOf('--for', options.for),
    };
    const now = id.startsWith('g-')
      ? taken(await room.approvals.grants.decide(id, answer))
      : taken(await room.approvals.holds.decide(id, answer));
    if (options.json) return print(inertJson(now));
    print(told(now, verdict));
  });
}

function told(now: Hold | Grant, verdict: 'approve' | 'deny'): string {
  const agreed = now.opinions.filter((opinion) => opinion.verdict === 'approve').length;
  if (now.state === 'pending') return `${now.id}: ${agreed} of ${now.approvers.count} have agreed`;
  if (verdict === 'deny') return `${now.id}: refused`;
  return 'role' in now && 'forMs' in now
    ? `${now.id}: ${now.identity} has the role ${now.role} until ${now.ends?.toISOString() ?? ''}`
    : `${now.id}: approved`;
}

/** A held statement in lines, everything that decides among them. Nothing in it can act on a terminal. */
export function holdLines(hold: Hold): readonly string[] {
  const { message, parameters, estimate } = hold;
  const lines = [
    `${hold.id}  ${hold.state}  ${inert(hold.identity)}@${hold.target}  ${when(hold.state, hold.expires, hold.decided)}`,
    `    ${inert(message)}`,
    ...hold.text.split('\n').map((line) => `    | ${inert(line)}`),
  ];
  if (parameters.length > 0)
    lines.push(
      `    parameters: ${parameters.map(({ text }, index) => `$${index + 1} = ${text === null ? 'NULL' : inert(text)}`).join(', ')}`,
    );
  lines.push(`    ${estimated(estimate)}`, `    ${decisions(hold)}`);
  if (hold.reason !== undefined) lines.push(`    ${inert(hold.reason)}`);
  return lines;
}

export function grantLines(grant: Grant): readonly string[] {
  return [
    `${grant.id}  ${grant.state}  ${inert(grant.identity)}  role ${inert(grant.role)} for ${formatDuration(grant.forMs)}  ${
      grant.state === 'active' && grant.ends !== undefined
        ? `until ${grant.ends.toISOString()}`
        : when(grant.state, grant.expires, undefined)
    }`,
    `    ${inert(grant.reason)}`,
    `    ${decisions(grant)}`,
    ...(grant.revoked === undefined
      ? []
      : [
          `    ended by ${inert(grant.revoked.by)}${grant.revoked.reason === undefined ? '' : `: ${inert(grant.revoked.reason)}`}`,
        ]),
  ];
}

function estimated(estimate: Estimate): string {
  if (estimate.kind === 'none') return `no estimate: ${inert(estimate.why)}`;
  return `about ${estimate.rows.toLocaleString('en')} rows (cost ${estimate.cost})`;
}

function decisions({ approvers, opinions }: Pick<Hold, 'approvers' | 'opinions'>): string {
  const said = opinions.map(({ by, verdict, reason }: Opinion) => {
    const words = `${inert(by)} ${verdict === 'approve' ? 'agrees' : 'refuses'}`;
    return reason === undefined ? words : `${words} (${inert(reason)})`;
  });
  return [`${approvers.count} of ${approvers.groups.join(', ')} must agree`, ...said].join('; ');
}

function when(state: string, expires: Date, decided: Date | undefined): string {
  if (state !== 'pending') return decided === undefined ? '' : `at ${decided.toISOString()}`;
  const left = expires.getTime() - Date.now();
  return left <= 0 ? 'its time is over' : `${formatDuration(left)} left`;
}

export function print(line: string): void {
  process.stdout.write(`${line.trimEnd()}\n`);
}
