// What the gateway counts about itself. Most of it is told by the records: whoever writes one is counted on the way to the journal.
import type { MaybePromise } from '../../protocols/gate.ts';
import type { AuditRecord, AuditSink } from '../audit/record.ts';
import { type Counter, type Family, Registry, type Sample } from './registry.ts';

/** What the journal says of itself. */
interface JournalLike {
  readonly state: { readonly kind: 'ok' | 'failed' };
  readonly statistics: {
    readonly records: number;
    readonly bytes: number;
    readonly batches: number;
    readonly waiting: number;
    readonly refused: number;
    readonly failures: number;
  };
}

/** What the shipper says of itself. */
interface ShippingLike {
  readonly state: {
    readonly shipped: number;
    readonly behind: number;
    readonly lagMs: number;
    readonly failures: number;
  };
}

export interface MetricSources {
  readonly journal: () => JournalLike;
  /** Undefined where no store is open. */
  readonly shipping: () => ShippingLike | undefined;
  /** The target of each session that is open. */
  readonly sessions: () => Iterable<string>;
  /** Statements that wait for people; undefined where nothing is held. */
  readonly holds?: (() => number | undefined) | undefined;
}

export interface GatewayMetrics {
  /** The text for `/metrics`: exposition format 0.0.4. */
  render(): string;
  /** Counts what passes on its way to a sink, and the time of it. */
  counted(audit: AuditSink): AuditSink['append'];
  /** Counts the time of a judgement that began at `begun` (performance.now()). */
  judged<T>(answer: MaybePromise<T>, begun: number): MaybePromise<T>;
}

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** In seconds. What the gateway adds is mostly far below a millisecond; a durable record waits for the disk. */
const ADDED = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];
const UPSTREAM = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
/** Runs whose masked columns are remembered until they are settled. */
const MOST_MASKED = 100_000;

export function createMetrics(sources: MetricSources): GatewayMetrics {
  const registry = new Registry();
  registry.read('gauge', 'sallyport_sessions', 'Sessions that are open.', () => tally(sources.sessions(), 'target'));
  const logins = registry.counter('sallyport_logins_total', 'Sessions that were admitted.');
  const failures = registry.counters(
    'sallyport_login_failures_total',
    'Logins that were refused, by the rule that refused.',
  );
  const statements = registry.counters('sallyport_statements_total', 'Statements, by verdict.');
  const allow = statements.with({ verdict: 'allow' });
  const deny = statements.with({ verdict: 'deny' });
  const hold = statements.with({ verdict: 'hold' });
  const denials = registry.counters('sallyport_denials_total', 'Statements that were denied, by rule.');
  const outcomes = registry.counters('sallyport_outcomes_total', 'Statements that ran, by how they ended.');
  const byOutcome = kept(outcomes, 'outcome');
  const byRule = kept(denials, 'rule');
  const rows = registry.counter('sallyport_rows_total', 'Rows that went to clients.');
  const bytes = registry.counter('sallyport_bytes_total', 'Bytes of rows that went to clients.');
  const masked = registry.counter(
    'sallyport_masked_values_total',
    'Values that were masked: rows times masked columns.',
  );
  const detected = registry.counters(
    'sallyport_detected_values_total',
    'Values that a detector found outside masked columns.',
  );
  registry.read('gauge', 'sallyport_holds', 'Statements that wait for a person.', () => sources.holds?.());
  const added = registry.histogram(
    'sallyport_added_seconds',
    'What the gateway itself takes of a statement: judge (reading and verdict) and record (until its record is kept).',
    ADDED,
  );
  const judging = added.with({ step: 'judge' });
  const recording = added.with({ step: 'record' });
  const upstream = registry
    .histogram(
      'sallyport_upstream_seconds',
      'From sending a statement to its end, the database and the client included.',
      UPSTREAM,
    )
    .with({});
  journalMetrics(registry, sources);
  processMetrics(registry);

  /** How many columns of a run are masked, until it is settled. */
  const maskedColumns = new Map<string, number>();
  const count = (record: AuditRecord): void => {
    switch (record.event) {
      case 'statement':
        if (record.verdict === 'allow') {
          allow.value++;
          if (record.masked.length > 0 && maskedColumns.size < MOST_MASKED) {
            maskedColumns.set(record.record, record.masked.length);
          }
        } else if (record.verdict === 'deny') {
          deny.value++;
          byRule(record.rule ?? '').value++;
        } else hold.value++;
        return;
      case 'settled': {
        byOutcome(record.outcome).value++;
        rows.value += record.rows;
        bytes.value += record.bytes;
        if (record.outcome !== 'not-run') upstream.observe(record.ms / 1000);
        if (maskedColumns.size > 0) {
          const columns = maskedColumns.get(record.record);
          if (columns !== undefined) {
            maskedColumns.delete(record.record);
            masked.value += columns * record.rows;
          }
        }
        if (record.detected !== undefined) {
          for (const [detector, values] of Object.entries(record.detected)) detected.with({ detector }).add(values);
        }
        return;
      }
      case 'login':
        logins.value++;
        return;
      case 'login-refused':
        failures.with({ rule: String(record.details.rule ?? '') }).value++;
        return;
      default:
    }
  };

  return {
    render: () => registry.render(),
    counted(audit) {
      return (record) => {
        if (record.event !== 'statement') {
          count(record);
          return audit.append(record);
        }
        const begun = performance.now();
        const written = audit.append(record);
        count(record);
        if (!(written instanceof Promise)) recording.observe((performance.now() - begun) / 1000);
        else {
          written.then(
            () => recording.observe((performance.now() - begun) / 1000),
            () => undefined,
          );
        }
        return written;
      };
    },
    judged(answer, begun) {
      if (!(answer instanceof Promise)) {
        judging.observe((performance.now() - begun) / 1000);
        return answer;
      }
      return answer.then((judgement) => {
        judging.observe((performance.now() - begun) / 1000);
        return judgement;
      });
    },
  };
}

/** The series of a label's value, without a lookup by an object. */
function kept(family: Family<Counter>, label: string): (value: string) => Counter {
  const known = new Map<string, Counter>();
  return (value) => {
    let counter = known.get(value);
    if (counter === undefined) {
      counter = family.with({ [label]: value });
      if (known.size < 1000) known.set(value, counter);
    }
    return counter;
  };
}

function tally(words: Iterable<string>, label: string): Sample[] {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts].map(([word, count]) => [{ [label]: word }, count]);
}

function journalMetrics(registry: Registry, { journal, shipping }: MetricSources): void {
  const of = (name: keyof JournalLike['statistics']) => () => journal().statistics[name];
  registry.read(
    'gauge',
    'sallyport_journal_writable',
    '1 while records can be kept; at 0 statements are refused.',
    () => (journal().state.kind === 'ok' ? 1 : 0),
  );
  registry.read('counter', 'sallyport_journal_records_total', 'Lines written to the journal.', of('records'));
  registry.read('counter', 'sallyport_journal_bytes_total', 'Bytes written to the journal.', of('bytes'));
  registry.read(
    'counter',
    'sallyport_journal_batches_total',
    'Writes of the journal; its records share them.',
    of('batches'),
  );
  registry.read(
    'gauge',
    'sallyport_journal_lag_bytes',
    'Bytes of records that are not on the disk yet.',
    of('waiting'),
  );
  registry.read(
    'counter',
    'sallyport_journal_refused_total',
    'Statements refused because they could not be recorded.',
    of('refused'),
  );
  registry.read(
    'counter',
    'sallyport_journal_failures_total',
    'Times the journal could not be written.',
    of('failures'),
  );
  registry.read(
    'counter',
    'sallyport_store_records_total',
    'Records copied to the store.',
    () => shipping()?.state.shipped,
  );
  registry.read(
    'gauge',
    'sallyport_store_lag_records',
    'Lines of the journal that the store does not have yet.',
    () => shipping()?.state.behind,
  );
  registry.read(
    'gauge',
    'sallyport_store_lag_seconds',
    'How old the last copied record is while there are more; 0 when there are none.',
    () => {
      const state = shipping()?.state;
      return state === undefined ? undefined : state.lagMs / 1000;
    },
  );
  registry.read(
    'counter',
    'sallyport_store_failures_total',
    'Times that copying to the store failed.',
    () => shipping()?.state.failures,
  );
}

/** Names as Prometheus' own client libraries use them. */
function processMetrics(registry: Registry): void {
  const started = Date.now() / 1000 - process.uptime();
  registry.read('counter', 'process_cpu_seconds_total', 'CPU time of the process.', () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  registry.read('gauge', 'process_resident_memory_bytes', 'Memory of the process.', () => process.memoryUsage.rss());
  registry.read('gauge', 'process_start_time_seconds', 'When the process began.', () => started);
}
