// What `sallyport explain` prints about one statement: its reading, where its columns come from, what masks and rules say, and for a
// refused one everything that stands against it with the shortest way to a statement that would pass.
import type { Finding, OutputMask, Verdict } from '../policy/index.ts';
import { columnPath, describeReading, isFunction, type Reading } from '../sql/index.ts';

export interface Explained {
  /** The statement's own text, for the place of a finding. */
  readonly text: string;
  readonly reading: Reading;
  readonly verdict: Verdict;
  readonly findings: readonly Finding[];
}

/** For programs: verdict, masks, every finding, and the whole reading. */
export function asJson({ reading, verdict, findings }: Explained) {
  return {
    verdict: verdict.kind,
    rule: verdict.rule,
    role: verdict.role,
    ...(verdict.kind === 'allow' ? {} : { message: verdict.message, hint: verdict.hint }),
    wouldBe: verdict.wouldBe,
    masks: masksOf(verdict).map((mask, index) => ({
      output: reading.outputs?.[index]?.name ?? '',
      mask: maskName(mask),
    })),
    findings: findings.map(({ decision, observe }) => ({ ...decision, observe })),
    ...(verdict.kind === 'allow' ? {} : { ways: waysOut(reading, findings) }),
    reading,
  };
}

/** For a person: one fact a line. */
export function asText({ text, reading, verdict, findings }: Explained): string {
  const lines = [reading.summary, ...describeReading(reading).map((line) => `  ${line}`)];
  masksOf(verdict).forEach((mask, index) => {
    if (mask !== undefined)
      lines.push(`  mask ${reading.outputs?.[index]?.name ?? `column ${index + 1}`}: ${maskName(mask)}`);
  });
  for (const { kind, rule, message } of verdict.wouldBe) lines.push(`  would be: ${kind} by "${rule}" (${message})`);
  if (verdict.kind === 'allow') {
    lines.push(`allow by role "${verdict.role}"${verdict.rule === undefined ? '' : ` and rule "${verdict.rule}"`}`);
    return `${lines.join('\n')}\n\n`;
  }
  lines.push(`${verdict.kind}: ${verdict.message}`, `  ${verdict.hint}`);
  const against = findings.filter((finding) => !finding.observe);
  if (against.length > 1) {
    lines.push('everything that stands against it:');
    against.forEach(({ decision }, at) => {
      lines.push(`  ${at + 1}. ${decision.message}`);
      lines.push(...placeOf(text, decision.position).map((line) => `     ${line}`));
    });
  } else {
    lines.push(...placeOf(text, verdict.position).map((line) => `  ${line}`));
  }
  const ways = waysOut(reading, findings);
  if (ways.length > 0)
    lines.push('the shortest way to a statement that would pass:', ...ways.map((way) => `  - ${way}`));
  return `${lines.join('\n')}\n\n`;
}

function masksOf(verdict: Verdict): readonly (OutputMask | undefined)[] {
  if (verdict.kind === 'deny') return [];
  return (verdict.kind === 'hold' ? verdict.after : verdict).masks;
}

/** The line of the text in which a position (1-based, in characters) stands, with a mark below it. */
export function placeOf(text: string, position: number | undefined): readonly string[] {
  if (position === undefined) return [];
  const characters = [...text];
  const at = position - 1;
  if (at >= characters.length) return [];
  const start = characters.lastIndexOf('\n', at - 1) + 1;
  const end = characters.indexOf('\n', at);
  const line = characters.slice(start, end < 0 ? undefined : end).join('');
  return [line, `${' '.repeat(at - start)}^`];
}

/** What to change so that nothing enforced stands against the statement any more: one line for each cause, without repeats. */
export function waysOut(reading: Reading, findings: readonly Finding[]): readonly string[] {
  const ways = findings.filter((finding) => !finding.observe).map(({ decision }) => wayOut(reading, decision));
  return [...new Set(ways.filter((way) => way !== ''))];
}

function wayOut(reading: Reading, { rule, hint, kind }: Finding['decision']): string {
  switch (rule) {
    case 'masked-flow': {
      const flow = reading.flows[0]?.into;
      const place = flow?.kind === 'column' ? `"${flow.column}"` : 'its place';
      return `leave the masked column out of what is written, or write it unchanged into a column under the same mask instead of ${place}`;
    }
    case 'opaque-function': {
      const names = reading.opaque.filter(isFunction);
      const list = names.map((fact) => `"${fact.name}"`).join(', ');
      return `leave the call out, or let the target's owner vouch for it: trusted-functions: [${list}]`;
    }
    case 'side-door':
      return `leave out ${reading.sideDoors.map((door) => door.name).join(', ')}`;
    case 'no-role':
      return `ask for a role with ${reading.verbs.join(', ')} on ${tablesOf(reading)}: ${hint}`;
    default: {
      const [unbounded] = reading.unbounded;
      if (unbounded !== undefined && rule !== 'masked-predicate' && rule !== 'unresolved')
        return `add a condition on ${unbounded.table.table} that picks the rows you mean (${unbounded.why})`;
      return kind === 'hold' ? `wait: ${hint}` : hint;
    }
  }
}

function tablesOf(reading: Reading): string {
  const names = reading.tables.filter((use) => use.direct).map((use) => use.table);
  return names.length === 0 ? 'this target' : [...new Set(names)].join(', ');
}

/** A mask in a few words. */
export function maskName(mask: OutputMask | undefined): string {
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
