// Roles for a time, end to end: the refusal that names the way, the login and the statement that pass meanwhile, and the end of it.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { expect, test } from 'vitest';
import type { Approvals, Person } from '../../src/approvals/index.ts';
import type { Identity } from '../../src/identity/index.ts';
import { house, shopPolicy } from './support.ts';

const at = house({
  policy: shopPolicy
    .replace(
      'rules:',
      `  - name: writer
    groups: [writers]
    targets: [shop]
    allow: [read, write]
    tables: ["public.orders"]
    request: { approvers: { groups: [dba] }, max-duration: 30m }
  - name: fraud
    groups: [investigators]
    targets: [shop]
    allow: [read]
    request: { approvers: { groups: [dba] }, max-duration: 2h }
rules:`,
    )
    .replace('mask: email', 'mask: email\n    unless: { roles: [fraud] }'),
});

const anna: Person = { kind: 'identity', issuer: 'https://people', subject: 'anna', name: 'anna', groups: ['dba'] };

const approvals = (): Approvals => {
  const { approvals: room } = at().gateway;
  if (room === undefined) throw new Error('the gateway has a store');
  return room;
};

async function connect(sub: string, groups: readonly string[]): Promise<pg.Client> {
  const client = new pg.Client({ ...(await at().client()), password: await at().token(groups, sub) });
  await client.connect();
  return client;
}

async function refusal(run: Promise<unknown>): Promise<pg.DatabaseError> {
  const error = await run.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (error instanceof pg.DatabaseError) return error;
  throw new Error(`expected an error of the database, got ${String(error)}`);
}

/** Asks for a role as `sallyport grants request` does for the identity of a token, and has it agreed to. */
async function granted(subject: string, role: string, forMs: number): Promise<string> {
  const [session] = await approvals().sessions.list();
  const identity: Identity = {
    issuer: session?.issuer ?? 'sallyport:local',
    subject,
    name: subject,
    groups: [],
    expiresAt: 4_000_000_000,
    tokenId: undefined,
    actors: [],
  };
  const asked = await approvals().grants.request({ identity, role, forMs, reason: 'a test' });
  if (asked.kind !== 'taken') throw new Error(asked.message);
  const decided = await approvals().grants.decide(asked.now.id, { verdict: 'approve', by: anna });
  if (decided.kind !== 'taken') throw new Error(decided.message);
  return asked.now.id;
}

test('a denied statement names the role that would allow it and the command that asks for it, and no other', async () => {
  const client = await connect('crew-1', ['crew-support']);
  const insert = await refusal(client.query('insert into orders values (7001, 1, 1)'));
  expect(insert.message).toContain('denied by rule "no-role"');
  expect(insert.hint).toContain(
    'The role "writer" allows it and can be asked for: sallyport grants request -c sallyport.yaml --role writer --for 30m --reason "why it is needed"',
  );
  // No role that can be asked for would let this through.
  expect((await refusal(client.query('drop table orders'))).hint).not.toContain('grants request');
  expect((await refusal(client.query(`insert into customers values (9, 'x')`))).hint).not.toContain('grants request');
  await client.end();
});

test('a granted role counts in the open session at once, as often as wanted, and ends with the grant', async () => {
  const client = await connect('crew-2', ['crew-support']);
  await refusal(client.query('insert into orders values (7002, 1, 1)'));
  await expect.poll(async () => (await approvals().sessions.list()).length).toBeGreaterThan(0);
  const id = await granted('crew-2', 'writer', 60_000);
  for (const n of [7002, 7003]) await client.query('insert into orders values ($1, 1, 1)', [n]);
  const record = (await at().records()).findLast(
    (each) => each.event === 'statement' && each.text.includes('into orders'),
  );
  expect(record).toMatchObject({ role: 'writer', verdict: 'allow' });
  // Another identity does not have it.
  const other = await connect('crew-3', ['crew-support']);
  await refusal(other.query('insert into orders values (7004, 1, 1)'));
  await other.end();
  expect(await approvals().grants.revoke(id, anna, 'enough')).toMatchObject({ kind: 'taken' });
  expect((await refusal(client.query('insert into orders values (7005, 1, 1)'))).message).toContain('no-role');
  await client.end();
});

test('a grant lets an identity without any role log in, and lifts a mask that its role lifts', async () => {
  const refused = await refusal(connect('crew-4', ['nobody']));
  expect(refused.code).toBe('28000');
  const hint = refused.hint ?? '';
  expect(hint).toContain('sallyport grants request -c sallyport.yaml --role writer');
  await granted('crew-4', 'fraud', 60_000);
  const client = await connect('crew-4', ['nobody']);
  const { rows } = await client.query('select email, ssn from customers where id = 7');
  expect(rows).toEqual([{ email: 'user7@example.com', ssn: '*******0007' }]);
  await client.end();
});

test('a request is made with a token and refused without one', async () => {
  const file = join(at().folder, 'agent.token');
  await writeFile(file, await at().token(['crew-support'], 'crew-5'));
  const { requestGrant } = await import('../../src/cli/grants.ts');
  const config = join(at().folder, 'sallyport.yaml');
  const out: string[] = [];
  const { write } = process.stdout;
  process.stdout.write = (text) => out.push(String(text)) > 0;
  try {
    await requestGrant({ config, role: 'writer', for: '10m', reason: 'to see', tokenFile: file, json: true });
  } finally {
    process.stdout.write = write;
  }
  expect(JSON.parse(out.join(''))).toMatchObject({
    state: 'pending',
    identity: 'crew-5',
    role: 'writer',
    forMs: 600_000,
  });
  const errors: string[] = [];
  const { write: writeError } = process.stderr;
  process.stderr.write = (text) => errors.push(String(text)) > 0;
  try {
    await requestGrant({ config, role: 'writer', for: '10m', reason: 'to see', json: false });
  } finally {
    process.stderr.write = writeError;
  }
  expect(errors.join('')).toContain('give --token-file, or set SALLYPORT_TOKEN');
  process.exitCode = 0;
});
