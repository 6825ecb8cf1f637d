// Pictures of every view of the console for docs/screens, on a shop with a day of work behind it: npm run screens
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { createApprovals } from '../src/approvals/index.ts';
import { newRecordId, newSessionId, openJournal, type StatementRecord } from '../src/audit/index.ts';
import type { Config } from '../src/config/index.ts';
import { createIdentity } from '../src/identity/index.ts';
import { openStore } from '../src/store/index.ts';
import { chromium, openBrowser } from '../test/console/chromium.ts';
import { holdingPolicy, openHouse } from '../test/console/support.ts';

const folder = fileURLToPath(new URL('../docs/screens/', import.meta.url));
const issuer = 'sallyport:local';

interface Usual {
  readonly text: string;
  readonly verbs: readonly string[];
  readonly tables: readonly string[];
  readonly columns: readonly string[];
  readonly masked?: readonly string[];
  readonly rule?: string;
  readonly rows: number;
  readonly weight: number;
}

const customers = (...names: readonly string[]) => names.map((name) => `public.customers.${name}`);
const usual: readonly Usual[] = [
  {
    text: 'select id, name, email from customers where id = $1',
    verbs: ['select'],
    tables: ['public.customers'],
    columns: customers('id', 'name', 'email'),
    masked: customers('email'),
    rows: 1,
    weight: 30,
  },
  {
    text: 'select o.id, o.total, o.placed from orders o where o.customer_id = $1 order by o.placed desc limit 20',
    verbs: ['select'],
    tables: ['public.orders'],
    columns: ['public.orders.id', 'public.orders.total', 'public.orders.placed', 'public.orders.customer_id'],
    rows: 12,
    weight: 24,
  },
  {
    text: 'select name, ssn, birth_date from customers where name ilike $1',
    verbs: ['select'],
    tables: ['public.customers'],
    columns: customers('name', 'ssn', 'birth_date'),
    masked: customers('ssn', 'birth_date'),
    rows: 3,
    weight: 10,
  },
  {
    text: "select date_trunc('day', placed) as day, sum(total) from orders group by 1 order by 1",
    verbs: ['select'],
    tables: ['public.orders'],
    columns: ['public.orders.placed', 'public.orders.total'],
    rows: 31,
    weight: 8,
  },
  {
    text: 'drop table orders',
    verbs: ['drop'],
    tables: ['public.orders'],
    columns: [],
    rule: 'no-drops',
    rows: 0,
    weight: 1,
  },
  {
    text: 'select * from customers where ssn like ?',
    verbs: ['select'],
    tables: ['public.customers'],
    columns: customers('ssn'),
    rule: 'masked-predicate',
    rows: 0,
    weight: 2,
  },
];

/** A day of work, written as the gateway would have. The same day each time. */
async function seed(config: Config): Promise<void> {
  let clock = Date.now() - 24 * 3_600_000;
  const until = Date.now() - 60_000;
  const journal = await openJournal({
    directory: config.audit.journal,
    durable: false,
    log: { info() {}, warn() {}, error() {} },
    now: () => clock,
  });
  const random = sequence(7);
  const names = ['crew-support-7', 'crew-support-12', 'billing-agent', 'report-writer', 'chargeback-bot'];
  const sessions = names.map(() => newSessionId());
  const total = usual.reduce((sum, { weight }) => sum + weight, 0);
  for (let n = 0; n < 6000; n++) {
    // More by day than by night, with a burst of refusals in the afternoon.
    const hour = new Date(clock).getUTCHours();
    clock += (86_400_000 / 4000) * (0.2 + 1.6 * random()) * (hour > 6 && hour < 19 ? 0.6 : 1.7);
    if (clock > until) break;
    const burst = hour === 14 && random() < 0.3;
    const picked = burst ? usual[5] : pick(random() * total);
    const who = burst ? 4 : Math.floor(random() * random() * names.length);
    if (picked === undefined) continue;
    const { rows, weight, rule, masked, ...shape } = picked;
    const record: StatementRecord = {
      event: 'statement',
      time: new Date(clock).toISOString(),
      session: sessions[who] ?? newSessionId(),
      record: newRecordId(),
      identity: names[who] ?? '',
      issuer,
      groups: ['crew-support'],
      target: 'shop',
      client: '127.0.0.1:50412',
      role: 'support',
      fingerprint: weight.toString(16).padStart(16, 'a'),
      verdict: rule === undefined ? 'allow' : 'deny',
      rule,
      reason: rule === undefined ? undefined : `sallyport: denied by rule "${rule}"`,
      masked: masked ?? [],
      wouldBe: [],
      prepared: undefined,
      imitatesTag: false,
      ...shape,
    };
    await journal.append(record);
    if (rule !== undefined) continue;
    await journal.append({
      event: 'settled',
      time: record.time,
      session: record.session,
      record: record.record,
      outcome: 'completed',
      sqlstate: undefined,
      tag: `SELECT ${rows}`,
      rows,
      bytes: rows * 64,
      ms: 0.4 + 6 * random() ** 4,
    });
  }
  await journal.close();
}

/** The usual statement at a place of the line on which each is as long as its weight. */
function pick(place: number): Usual | undefined {
  let end = 0;
  return usual.find(({ weight }) => {
    end += weight;
    return place < end;
  });
}

/** Park and Miller's: the same numbers in the same order, for pictures that change only when the page does. */
function sequence(start: number): () => number {
  let state = start;
  return () => {
    state = (state * 48_271) % 0x7fffffff;
    return state / 0x7fffffff;
  };
}

if (chromium === undefined) throw new Error('there is no chromium on the PATH');
await mkdir(folder, { recursive: true });
const house = await openHouse({ policy: holdingPolicy, seed });
const browser = await openBrowser();
const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: 'light' });
const page = await context.newPage();
const shoot = (name: string) => page.screenshot({ path: `${folder}${name}.png` });
const view = async (path: string, name: string) => {
  await page.goto(house.url + path);
  await page.waitForTimeout(400);
  await shoot(name);
};

try {
  await page.goto(`${house.url}/login`);
  await shoot('login');
  await page.goto((await house.gateway.console?.link()) ?? '');
  await page.waitForURL(`${house.url}/`);

  const agent = await house.agent(['crew-agent'], 'billing-agent');
  const support = await house.agent(['crew-support'], 'crew-support-7');
  await page.goto(`${house.url}/live`);
  await page.waitForTimeout(800);
  const rich = `select c.name, right(c.ssn, 4) as tail, c.email,
       c.address ->> 'city' as city,
       (select sum(o.total) from orders o where o.customer_id = c.id) as spent
  from customers c
 where c.id between 1 and 40
 order by spent desc nulls last`;
  for (let n = 1; n < 14; n++) {
    await support.query('select id, name, email from customers where id = $1', [n]);
    await support.query('select id, total from orders where customer_id = $1 order by id desc', [n]);
    if (n % 4 === 0) await agent.query('drop table orders').catch(() => undefined);
    if (n % 5 === 0)
      await support.query('select * from customers where ssn = $1 or ssn > $1', ['1']).catch(() => undefined);
    if (n === 11) await support.query(rich);
  }
  await support.query('select name, ssn, card_number, birth_date from customers order by id limit 5');
  const waiting = agent.query('update orders set total = total * 1.19').catch(() => undefined);
  const store = await openStore(house.config, { as: 'visitor' });
  const approvals = createApprovals({ store, config: house.config });
  const verified = await createIdentity(house.config.identity).verify(
    await house.token(['crew-agent'], 'chargeback-bot'),
  );
  if (verified.kind === 'verified') {
    await approvals.grants.request({
      identity: verified.identity,
      role: 'fraud',
      forMs: 3_600_000,
      reason: 'chargeback 4711: compare the card with the order',
    });
  }
  const anna = { kind: 'operator', name: 'anna' } as const;
  await approvals.revocations.add({ kind: 'credential', user: 'sp-4xq7k2mnbv3d' }, anna, 'seen in a build log');
  await approvals.revocations.add({ kind: 'token', tokenId: '7f9c24e8-3b12-4fef-91aa' }, anna, 'laptop lost');
  await approvals.close();
  await store.close();
  await page.waitForTimeout(2500);
  await shoot('live');
  await view('/', 'overview');
  await view('/search?identity=crew-*&since=1h', 'search');
  await view('/approvals', 'approvals');
  await view('/sessions', 'sessions');
  await page.locator('a.button.danger').first().click();
  await page.waitForTimeout(400);
  await shoot('sessions-kill');
  await view('/identities', 'identities');
  await view('/identity?name=crew-support-7', 'identity');
  await view('/rules', 'rules');
  await view('/columns', 'columns');
  await page.goto(`${house.url}/search?text=right%28c.ssn`);
  await page.locator('a.row').first().click();
  await page.waitForTimeout(400);
  await shoot('record');
  await page.emulateMedia({ colorScheme: 'dark' });
  await shoot('record-dark');
  await view('/', 'overview-dark');
  for (const name of (process.env.SCREENS_MORE ?? '').split(',').filter((each) => each !== ''))
    await view(`/${name}`, `${name}-dark`);
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize({ width: 390, height: 780 });
  await view('/search?since=1h', 'phone-search');
  await view('/approvals', 'phone-approvals');
  await view('/sessions', 'phone-sessions');
  for (const name of (process.env.SCREENS_MORE ?? '').split(',').filter((each) => each !== ''))
    await view(`/${name}`, `phone-${name}`);
  await agent.end();
  await support.end();
  await waiting;
} finally {
  await browser.close();
  await house.close();
}
