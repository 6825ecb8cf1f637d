// Held statements on the gateway's side: put on record, shown to people with what they need to decide, waited for, and then run or
// refused. The statement is judged anew before it runs: what has changed while it waited counts.
import type { Judgement, Opened, RecordId, Refusal } from '../../protocols/gate.ts';
import type { Approvals, Estimate, HoldEnd, NewHold, PendingHold } from '../approvals/index.ts';
import type { Approvers, Verdict } from '../policy/index.ts';
import type { ReadStatement } from '../sql/index.ts';
import type { Explained } from './estimate.ts';
import { type KeptParameter, parameterText } from './parameters.ts';
import type { Session } from './session.ts';

export type HoldVerdict = Extract<Verdict, { kind: 'hold' }>;

/** What a session needs so that people can be asked. Left out where the gateway has no store: held statements are refused. */
export interface HoldDesk {
  readonly approvals: Pick<Approvals, 'holds'>;
  /** Never rejects. */
  estimate(explained: Explained): Promise<Estimate>;
}

/** One run that a rule holds. */
export interface HeldRun {
  readonly statement: ReadStatement;
  readonly verdict: HoldVerdict;
  /** The statement's own text. */
  readonly text: string;
  /** The text it stands in, where that holds others besides, as it may be shown. */
  readonly whole: string | undefined;
  readonly parameters: readonly KeptParameter[];
  /** Columns whose values will come masked. */
  readonly masked: readonly string[];
  readonly record: RecordId;
  /** The prepared statement's first record, for later runs of it. */
  readonly prepared: RecordId | undefined;
}

export type Asked =
  /** People have agreed to this shape before: its record is written. */
  | { readonly kind: 'agreed' }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | {
      readonly kind: 'waits';
      readonly notice: string;
      /** Undefined: approved. */
      readonly end: Promise<Refusal | undefined>;
      withdraw(): void;
    };

/** Puts a held run on record and before the people who decide. Never rejects. */
export async function ask(session: Session, desk: HoldDesk | undefined, run: HeldRun): Promise<Asked> {
  const { verdict, statement } = run;
  const { identity, client } = session.parts;
  const { reading } = statement;
  const of = { issuer: identity.issuer, subject: identity.subject, target: session.upstream.target };
  const standing = desk?.approvals.holds.agreed({ ...of, rule: verdict.rule, fingerprint: reading.fingerprint });
  const reason =
    standing === undefined
      ? verdict.message
      : `${verdict.message}; agreed to by ${standing.by.join(', ')} until ${time(standing.until)} (${standing.hold})`;
  const recorded = session.recorded(run.whole ?? run.text, reading);
  try {
    await session.record(run.record, recorded, reading, {
      verdict: 'hold',
      rule: verdict.rule,
      reason,
      role: verdict.role,
      masked: run.masked,
      wouldBe: verdict.wouldBe.map(({ rule }) => rule),
      prepared: run.prepared,
    });
  } catch {
    return { kind: 'refused', refusal: notAsked(run, 'its record could not be kept') };
  }
  if (standing !== undefined) return { kind: 'agreed' };
  if (desk === undefined) return { kind: 'refused', refusal: notAsked(run, 'this gateway has no store for approvals') };
  const shown = session.shows(run.whole ?? run.text, reading);
  const hold: NewHold = {
    ...of,
    session: session.id,
    record: run.record,
    identity: identity.name,
    groups: identity.groups,
    client,
    role: verdict.role,
    rule: verdict.rule,
    message: verdict.message,
    text: recorded.text,
    // Where no literal may be shown, no parameter may be.
    parameters: run.parameters.map((parameter) =>
      shown
        ? { text: parameterText(parameter, session.parts.reader.dialect), masked: false }
        : { text: '(not shown)', masked: true },
    ),
    fingerprint: reading.fingerprint,
    estimate: await desk.estimate({ reading, text: run.text, parameters: run.parameters }),
    approvers: verdict.approvers,
  };
  try {
    const pending = await desk.approvals.holds.request(hold);
    // A session that waits for people is not idle.
    session.lifetime.ran(1);
    void pending.end.finally(() => session.lifetime.ran(-1));
    return waiting(pending, run);
  } catch {
    return { kind: 'refused', refusal: notAsked(run, 'the store for approvals cannot be reached') };
  }
}

function waiting(pending: PendingHold, run: HeldRun): Asked {
  const { verdict } = run;
  return {
    kind: 'waits',
    notice: `sallyport: ${verdict.message}; it waits for ${wanted(verdict.approvers)} until ${time(pending.expires)} (${pending.id})`,
    end: pending.end.then((end) => (end.kind === 'approved' ? undefined : refusalOf(end, run, pending.id))),
    withdraw: () => pending.withdraw('the client cancelled or left'),
  };
}

function refusalOf(end: Exclude<HoldEnd, { kind: 'approved' }>, run: HeldRun, id: string): Refusal {
  const { verdict } = run;
  const because =
    end.reason === undefined || end.kind === 'withdrawn' ? '' : `: ${end.reason.slice(0, 500).replace(/\s+/g, ' ')}`;
  const what = {
    denied: `refused by an approver${because}`,
    expired: 'nobody decided in time',
    withdrawn: `withdrawn, ${end.reason ?? 'its hold is gone'}`,
  }[end.kind];
  const hint = {
    denied: 'Do not send it again as it is: change it, or ask the approvers what they need.',
    expired: `Ask ${verdict.approvers.groups.join(', ')} to look at held statements, then send it again.`,
    withdrawn: 'Send it again if it is still wanted.',
  }[end.kind];
  return refusal(run, what, `${hint} (${id})`);
}

function changed(run: HeldRun): Refusal {
  return refusal(run, 'what it does has changed while it waited', 'Send it again.');
}

function notAsked(run: HeldRun, why: string): Refusal {
  return refusal(run, why, "The gateway's log says why.");
}

function refusal({ verdict, record, statement }: HeldRun, why: string, hint: string): Refusal {
  return {
    kind: 'approval',
    rule: verdict.rule,
    message: `sallyport: denied by rule "${verdict.rule}": ${statement.reading.summary} (${why})`,
    hint,
    detail: `record ${record}`,
  };
}

/** Waits for one run of a prepared statement; `release` judges it anew and opens it. */
export async function holdRun(
  session: Session,
  desk: HoldDesk | undefined,
  run: HeldRun,
  release: () => Opened | Promise<Opened>,
): Promise<Opened> {
  const asked = await ask(session, desk, run);
  if (asked.kind === 'refused') return asked;
  if (asked.kind === 'agreed') return release();
  const { notice, end } = asked;
  return {
    kind: 'hold',
    notice,
    decision: end.then(async (refused) => {
      if (refused !== undefined) return { kind: 'refused', refusal: refused };
      const opened = await release();
      if (opened.kind !== 'hold') return opened;
      opened.withdraw();
      return { kind: 'refused', refusal: changed(run) };
    }),
    withdraw: asked.withdraw,
  };
}

/** Waits for the held statements of one text, all asked at once; `release` judges the text anew. */
export async function holdText(
  session: Session,
  desk: HoldDesk | undefined,
  runs: readonly HeldRun[],
  release: () => Judgement | Promise<Judgement>,
): Promise<Judgement> {
  const waits: Extract<Asked, { kind: 'waits' }>[] = [];
  const withdraw = () => {
    for (const each of waits) each.withdraw();
  };
  for (const run of runs) {
    const asked = await ask(session, desk, run);
    if (asked.kind === 'refused') {
      withdraw();
      return { kind: 'deny', refusal: asked.refusal };
    }
    if (asked.kind === 'waits') waits.push(asked);
  }
  if (waits.length === 0) return release();
  const decide = async (): Promise<Decided> => {
    // The first refusal ends the others.
    const refused = await new Promise<Refusal | undefined>((resolve) => {
      let open = waits.length;
      for (const { end } of waits) {
        void end.then((each) => {
          open -= 1;
          if (each !== undefined || open === 0) resolve(each);
        });
      }
    });
    if (refused !== undefined) {
      withdraw();
      return { kind: 'deny', refusal: refused };
    }
    const judged = await release();
    if (judged.kind !== 'hold') return judged;
    judged.withdraw();
    return { kind: 'deny', refusal: changed(runs[0] as HeldRun) };
  };
  return { kind: 'hold', notice: waits.map(({ notice }) => notice).join('\n'), decision: decide(), withdraw };
}

type Decided = Exclude<Judgement, { kind: 'hold' }>;

/** What people have agreed to: one statement of a text, under one rule. */
export interface Approved {
  readonly rule: string;
  readonly fingerprint: string;
  readonly record: RecordId;
}

export function isApproved(
  approved: Approved | undefined,
  verdict: HoldVerdict,
  { reading }: ReadStatement,
): approved is Approved {
  return approved?.rule === verdict.rule && approved.fingerprint === reading.fingerprint;
}

function wanted({ groups, count }: Approvers): string {
  return count === 1 ? `a member of ${groups.join(', ')}` : `${count} members of ${groups.join(', ')}`;
}

/** Times in notices are UTC: agents and approvers sit anywhere. */
function time(date: Date): string {
  return `${date.toISOString().slice(11, 19)} UTC`;
}
