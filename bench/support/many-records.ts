// Fills the store with many records, quickly: some thousand kinds of statements are made here, the server multiplies them day by day.
import { newRecordId, newSessionId, type StatementRecord } from '../../src/audit/index.ts';
import { type RecordRow, settle, settlementOf, statementRow } from '../../src/audit/store/rows.ts';
import { sizeTerm } from '../../src/audit/store/terms.ts';
import type { Store } from '../../src/store/index.ts';

export interface Sample {
  readonly from: string;
  readonly to: string;
  readonly identity: string;
  readonly rareIdentity: string;
  readonly burstIdentity: string;
  /** In the text of one record only. */
  readonly text: string;
  readonly record: string;
  readonly session: string;
}

const MOLDS = 20_000;
const SHAPES = 2000;
const DAY_MS = 86_400_000;

/** The same records each time. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (state >>> 0) / 2 ** 32;
  };
}

const next = random(7);
/** Few are chosen often, many seldom: 1/rank. */
const skewed = (count: number) => Math.min(count - 1, Math.floor(count ** next()) - 1);
const pick = <T>(values: readonly T[]): T => values[Math.floor(next() * values.length)] as T;

interface Shape {
  readonly fingerprint: string;
  readonly text: string;
  readonly verbs: readonly string[];
  readonly tables: readonly string[];
  readonly columns: readonly string[];
  readonly masked: readonly string[];
}

function shapes(): Shape[] {
  const tables = [
    'public.customers',
    'public.orders',
    'public.items',
    ...Array.from({ length: 195 }, (_, n) => `public.t${n}`),
  ];
  return Array.from({ length: SHAPES }, (_, index) => {
    const table = tables[skewed(tables.length)] ?? 'public.customers';
    const other = tables[skewed(tables.length)] ?? 'public.orders';
    const columnsOf = (name: string) =>
      name === 'public.customers' ? ['id', 'name', 'email', 'ssn'] : ['id', 'c1', 'c2', 'c3'];
    const some = columnsOf(table).filter(() => next() < 0.7);
    const name = table.slice('public.'.length);
    const verb = pick([
      'select',
      'select',
      'select',
      'select',
      'select',
      'insert',
      'update',
      'update',
      'delete',
      'drop',
    ]);
    const list = some.join(', ') || 'id';
    const joined = verb === 'select' && next() < 0.4;
    const texts: Record<string, string> = {
      select: joined
        ? `select a.${some.join(', a.') || 'id'}, b.id from ${name} a join ${other.slice(7)} b on b.id = a.id where a.id = $1 and b.c1 > '$2' order by 1 limit ${index % 90}`
        : `select ${list} from ${name} where id = $1 and status${index % 50} = '$2'`,
      insert: `insert into ${name} (${list}) values ($1, '$2')`,
      update: `update ${name} set c${index % 9} = '$2' where id = $1`,
      delete: `delete from ${name} where id = $1 and note = '$2'`,
      drop: `drop table ${name}_$1`,
    };
    return {
      fingerprint: `shape-${String(index).padStart(4, '0')}`,
      text: texts[verb] ?? '',
      verbs: [verb],
      tables: joined ? [table, other] : [table],
      columns: some.map((column) => `${table}.${column}`),
      masked: some.includes('ssn') ? [`${table}.ssn`] : [],
    };
  });
}

function mold(shape: Shape, number: number): RecordRow {
  const identity = `agent-${skewed(500)}`;
  const verdict = shape.verbs[0] === 'drop' ? 'deny' : next() < 0.01 ? 'deny' : next() < 0.001 ? 'hold' : 'allow';
  const record: StatementRecord = {
    event: 'statement',
    time: '2026-01-01T00:00:00.000Z',
    record: newRecordId(),
    session: newSessionId(),
    identity,
    issuer: 'https://idp.example.com',
    groups: [`crew-${skewed(40)}`, 'crew'],
    target: next() < 0.8 ? 'shop' : 'crm',
    client: `10.1.${number % 250}.7:50412`,
    role: verdict === 'allow' ? 'support' : undefined,
    rule:
      verdict === 'allow'
        ? undefined
        : shape.verbs[0] === 'drop'
          ? 'no-drops'
          : pick(['unbounded-writes', 'no-role', 'masked-predicate']),
    reason: verdict === 'allow' ? undefined : `sallyport: denied by rule: ${shape.text.slice(0, 40)}`,
    wouldBe: [],
    prepared: undefined,
    imitatesTag: false,
    ...shape,
    verdict,
  };
  return statementRow(record, { gateway: 'one', chain: 'bench/main', seq: number });
}

const COLUMNS =
  'time, record, event, session, identity, issuer, groups, target, client, role, text, fingerprint, verbs, tables, columns, masked, ' +
  'verdict, rule, reason, would_be, outcome, rows, bytes, ms, details, gateway, chain, seq, terms';

/** Makes so many records up to now and what is counted of them; resolves with words that searches can look for. */
export async function fillStore(
  store: Store,
  count: number,
  days: number,
  progress: (done: number) => void,
): Promise<Sample> {
  const kinds = shapes();
  const molds = Array.from({ length: MOLDS }, (_, number) => mold(kinds[skewed(SHAPES)] as Shape, number));
  await store.query('create table public.molds (like sallyport.records including defaults)');
  for (let at = 0; at < MOLDS; at += 1000) {
    await store.query(
      'insert into public.molds select * from json_populate_recordset(null::sallyport.records, $1::json)',
      [JSON.stringify(molds.slice(at, at + 1000))],
    );
  }
  await store.query('create unique index on public.molds (seq)');
  await store.query('analyze public.molds');
  const msTerms = Array.from({ length: 25 }, (_, power) => sizeTerm('ms', power === 0 ? 0 : 2 ** (power - 1)));
  const rowTerms = Array.from({ length: 25 }, (_, power) => sizeTerm('rows', power === 0 ? 0 : 2 ** (power - 1)));
  const today = Math.floor(Date.now() / DAY_MS) * DAY_MS;
  const begin = today - (days - 1) * DAY_MS;
  const rare = (time: number, fields: Partial<StatementRecord>): RecordRow => {
    const row = statementRow(
      {
        event: 'statement',
        time: new Date(time).toISOString(),
        record: newRecordId(),
        session: newSessionId(),
        identity: 'agent-2',
        issuer: 'https://idp.example.com',
        groups: ['crew'],
        target: 'shop',
        client: '10.1.1.1:1',
        role: 'support',
        text: 'select 1',
        fingerprint: 'shape-rare',
        verbs: ['select'],
        tables: [],
        columns: [],
        verdict: 'allow',
        rule: undefined,
        reason: undefined,
        masked: [],
        wouldBe: [],
        prepared: undefined,
        imitatesTag: false,
        ...fields,
      },
      { gateway: 'one', chain: 'bench/main', seq: 0 },
    );
    settle(
      row,
      settlementOf({
        event: 'settled',
        time: row.time,
        session: newSessionId(),
        record: row.record as never,
        outcome: 'completed',
        sqlstate: undefined,
        tag: undefined,
        rows: 1,
        bytes: 1,
        ms: 3,
      }),
    );
    return row;
  };
  const needle = 'needle-5f3a9c21';
  const rares: RecordRow[] = [
    rare(begin + 3 * DAY_MS + 1, { text: `select id from orders where note = '${needle}'` }),
    ...Array.from({ length: 20 }, (_, n) => rare(begin + DAY_MS + n * 60_000, { identity: 'agent-rare' })),
    ...Array.from({ length: 5 }, (_, n) =>
      rare(begin + 2 * DAY_MS + n * 60_000, { target: 'legacy', fingerprint: 'shape-1999x' }),
    ),
    ...Array.from({ length: 8 }, (_, n) =>
      rare(begin + n * 1000 + 5, { tables: ['public.t199'], columns: ['public.t199.c3'], verbs: ['truncate'] }),
    ),
    ...Array.from({ length: days }, (_, n) => rare(begin + n * DAY_MS + 9, { verdict: 'deny', rule: 'once-a-day' })),
  ];
  let done = 0;
  for (let index = 0; index < days; index++) {
    const start = begin + index * DAY_MS;
    const day = new Date(start).toISOString().slice(0, 10).replaceAll('-', '');
    const size = Math.floor(count / days) + (index < count % days ? 1 : 0);
    const table = `sallyport.records_${day}`;
    await store.query(`create table ${table} (like sallyport.records including defaults)`);
    // One identity works in a single night, and then as much as all others together.
    const night = index === Math.floor(days / 2);
    await store.query(
      `insert into ${table} (${COLUMNS})
       select g.time, lpad(to_hex((extract(epoch from g.time) * 1000)::bigint), 12, '0') || lpad(to_hex(g.n), 8, '0'), m.event, m.session,
         case when g.burst then 'night-job' else m.identity end, m.issuer, m.groups, m.target, m.client, m.role,
         replace(replace(m.text, '$1', (g.n::bigint * 7919 % 1000003)::text), '$2', substr(md5(g.n::text), 1, 12)),
         m.fingerprint, m.verbs, m.tables, m.columns, m.masked, m.verdict, m.rule, m.reason, m.would_be,
         case when m.verdict = 'allow' then 'completed' end, case when m.verdict = 'allow' then g.rows end,
         case when m.verdict = 'allow' then g.rows * 90 end, case when m.verdict = 'allow' then g.ms end,
         '{"tag":"SELECT"}', m.gateway, m.chain, m.seq,
         case when m.verdict = 'allow' then m.terms || ($4::int[])[1 + case when g.ms < 1 then 0 else least(24, floor(ln(g.ms) / ln(2))::int + 1) end]
           || ($5::int[])[1 + case when g.rows < 1 then 0 else least(24, floor(ln(g.rows) / ln(2))::int + 1) end]
           else m.terms end || case when g.burst then $6::int[] else '{}' end
       from (
         select n, $1::timestamptz + (n * (86399000.0 / $2)) * interval '1 millisecond' as time,
           floor(random() * ${MOLDS})::int as seq, ${night} and n between $2 / 12 and $2 / 6 and n % 2 = 0 as burst,
           (0.2 + 1.5 * random() / (random() + 0.0000005) ^ 0.8)::float8 as ms,
           floor(random() / (random() + 0.0000002) ^ 0.9)::bigint as rows
         from generate_series(0, $3::int - 1) as n) as g
       join public.molds as m on m.seq = g.seq`,
      [new Date(start), size, size, msTerms, rowTerms, [nightTerm()]],
    );
    const own = rares.filter(({ time }) => time.startsWith(new Date(start).toISOString().slice(0, 10)));
    await store.query(`insert into ${table} select * from json_populate_recordset(null::sallyport.records, $1::json)`, [
      JSON.stringify(own),
    ]);
    await store.query(
      `alter table sallyport.records attach partition ${table}
       for values from ('${new Date(start).toISOString()}') to ('${new Date(start + DAY_MS).toISOString()}')`,
    );
    await store.query(`analyze ${table}`);
    await tally(store, table);
    done += size;
    progress(done);
  }
  await store.query(
    `insert into sallyport.record_names select distinct kind, name from sallyport.record_tallies where kind in ('identity', 'rule', 'table', 'column')
     union select distinct 'target', target from public.molds union select 'target', 'legacy'
     union select distinct 'group', unnest(groups) from public.molds`,
  );
  await store.query('drop table public.molds');
  await store.query('vacuum sallyport.records');
  const [one] = await store.query<{ record: string; session: string }>(
    'select record, session from sallyport.records where time >= $1 order by time, record offset 1000 limit 1',
    [new Date(begin + DAY_MS)],
  );
  return {
    from: new Date(begin).toISOString(),
    to: new Date(today + DAY_MS).toISOString(),
    identity: 'agent-3',
    rareIdentity: 'agent-rare',
    burstIdentity: 'night-job',
    text: needle,
    record: one?.record ?? '',
    session: one?.session ?? '',
  };
}

function nightTerm(): number {
  const row = mold({ fingerprint: '', text: '', verbs: ['select'], tables: [], columns: [], masked: [] }, 0);
  return (
    statementRow(
      { ...(row as unknown as StatementRecord), wouldBe: [], imitatesTag: false, identity: 'night-job' },
      { gateway: '', chain: '', seq: 0 },
    ).terms[1] ?? 0
  );
}

/** The counts that the shipper keeps while it writes. */
async function tally(store: Store, table: string): Promise<void> {
  await store.query(
    `insert into sallyport.record_minutes
     select date_trunc('minute', time), count(*) filter (where verdict = 'allow'), count(*) filter (where verdict = 'deny'),
       count(*) filter (where verdict = 'hold'), 0 from ${table} group by 1`,
  );
  const sums = `count(*) filter (where verdict = 'allow'), count(*) filter (where verdict = 'deny'), count(*) filter (where verdict = 'hold')`;
  const into = 'insert into sallyport.record_tallies (kind, name, part, period, allowed, denied, held, rows, latest)';
  const hour = `date_trunc('hour', time)`;
  const day = `date_trunc('day', time)`;
  await store.query(
    `${into} select 'identity', identity, '', ${day}, ${sums}, coalesce(sum(rows), 0), max(time) from ${table} group by identity, ${day}`,
  );
  await store.query(
    `${into} select 'rule', rule, '', ${hour}, ${sums}, 0, max(time) from ${table} where rule is not null group by rule, ${hour}`,
  );
  for (const [kind, column] of [
    ['table', 'tables'],
    ['column', 'columns'],
    ['masked', 'masked'],
  ]) {
    await store.query(
      `${into} select '${kind}', name, '', ${day}, ${sums}, 0, max(time) from ${table}, unnest(${column}) as name group by name, ${day}`,
    );
  }
  await store.query(
    `${into} select 'touch', identity, name, date_trunc('day', time), ${sums}, 0, max(time) from ${table}, unnest(tables) as name group by identity, name, date_trunc('day', time)`,
  );
}
