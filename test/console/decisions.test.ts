// People decide: held statements are approved or denied in the page and by the API, grants given, identities revoked.
import type pg from 'pg';
import { describe, expect, test } from 'vitest';
import { csrfOf, type Visitor } from './browser.ts';
import { consoleHouse, holdingPolicy, patient } from './support.ts';

const house = consoleHouse({ policy: holdingPolicy });

interface Hold {
  readonly id: string;
  readonly text: string;
  readonly estimate: { readonly rows?: number };
}

/** Sends a statement that is held, and waits until it stands in the list. */
async function held(statement: string, sub = 'crew-agent-1') {
  const client = await house().agent(['crew-agent'], sub);
  const outcome = client.query(statement).then(
    ({ rowCount }) => `${rowCount} rows`,
    (error: pg.DatabaseError) => `${error.code} ${error.message}`,
  );
  let hold: Hold | undefined;
  await expect
    .poll(async () => {
      const { items } = (await (await house().ask('/api/holds')).json()) as { items: Hold[] };
      hold = items.find(({ text }) => text.startsWith(statement));
      return hold?.id;
    }, patient)
    .toBeDefined();
  return { hold: hold as Hold, outcome, end: () => client.end() };
}

async function decide(visitor: Visitor, id: string, verdict: 'approve' | 'deny', more: Record<string, string> = {}) {
  const page = await visitor.visit(`${house().url}/approvals`);
  return visitor.post(`${house().url}/approvals/hold/${id}`, { csrf: csrfOf(page), verdict, ...more });
}

describe('a held statement', () => {
  test('stands in the page with its text, its estimate and its time, and runs once it is approved', async () => {
    const { hold, outcome, end } = await held('update orders set total = 1 where true');
    const operator = await house().operator();
    const { text } = await operator.visit(`${house().url}/approvals`);
    expect(text).toContain('crew-agent-1');
    // The estimate is the server's EXPLAIN, which a busy machine may not answer in time.
    expect(text).toMatch(/<strong>1,\d{3}<\/strong> rows, cost|not known: /);
    expect(text).toContain('0 of 1');
    expect(text).toContain('data-until');
    expect(text).toMatch(/class="count"[^>]*>1</);
    const after = await decide(operator, hold.id, 'approve', { reason: 'year end' });
    expect(after.text).toContain('Approved.');
    expect(await outcome).toBe('1000 rows');
    const past = await operator.visit(`${house().url}/approvals?past=1`);
    expect(past.text).toContain('operator:operator: year end');
    await end();
  });

  test('is refused to its client when it is denied, with the reason', async () => {
    const { hold, outcome, end } = await held('delete from orders');
    const after = await decide(await house().operator(), hold.id, 'deny', { reason: 'not today' });
    expect(after.text).toContain('Denied.');
    expect(await outcome).toMatch(/^57014 .*not today/);
    await end();
  });

  test('needs as many people as its rule says, each counting once', async () => {
    const { hold, outcome, end } = await held('insert into orders (id) values (100001)');
    const approve = (sub: string) =>
      house()
        .token(['dba'], sub)
        .then((token) =>
          fetch(`${house().url}/api/holds/${hold.id}/approve`, {
            method: 'POST',
            headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
            body: JSON.stringify({ reason: 'fine' }),
          }),
        );
    expect((await approve('dana')).status).toBe(200);
    const again = await approve('dana');
    expect(again.status).toBe(409);
    expect(await again.json()).toMatchObject({ error: { code: 'twice' } });
    expect((await (await house().operator()).visit(`${house().url}/approvals`)).text).toContain('1 of 2');
    expect((await approve('dora')).status).toBe(200);
    expect(await outcome).toBe('1 rows');
    await end();
  });

  test('is decided by nobody who may not: viewers, people of other groups, and whoever asked', async () => {
    const { hold, outcome, end } = await held('delete from orders where 1 = 1', 'dana');
    const ask = (groups: string[], sub: string) =>
      house()
        .token(groups, sub)
        .then((token) =>
          fetch(`${house().url}/api/holds/${hold.id}/approve`, {
            method: 'POST',
            headers: { authorization: `Bearer ${token}` },
          }),
        );
    expect((await ask(['staff'], 'vera')).status).toBe(403);
    const other = await ask(['leads'], 'amy');
    expect(other.status).toBe(409);
    expect(await other.json()).toMatchObject({ error: { code: 'not-approver' } });
    expect(await (await ask(['dba'], 'dana')).json()).toMatchObject({ error: { code: 'own' } });
    await decide(await house().operator(), hold.id, 'deny');
    expect(await outcome).toMatch(/^57014/);
    await end();
  });

  test('that is over cannot be decided, and the page says so', async () => {
    const { hold, outcome, end } = await held('delete from orders where true');
    const operator = await house().operator();
    await decide(operator, hold.id, 'deny');
    await outcome;
    const late = await decide(operator, hold.id, 'approve');
    expect(late.text).toContain('Not taken:');
    expect((await decide(operator, 'none', 'approve')).text).toContain('Not taken:');
    await end();
  });

  test('with a time for its shape that is none is not decided', async () => {
    const { hold, outcome, end } = await held('delete from orders where 2 = 2');
    const operator = await house().operator();
    expect((await decide(operator, hold.id, 'approve', { for: 'long' })).text).toContain(
      '&quot;long&quot; is no duration',
    );
    await decide(operator, hold.id, 'deny');
    await outcome;
    await end();
  });
});

describe('an access request', () => {
  test('is given in the page, stands among what is granted, and is taken back there', async () => {
    const { createApprovals } = await import('../../src/approvals/index.ts');
    const { openStore } = await import('../../src/store/index.ts');
    const { createIdentity } = await import('../../src/identity/index.ts');
    const store = await openStore(house().config, { as: 'visitor' });
    const approvals = createApprovals({ store, config: house().config });
    const verified = await createIdentity(house().config.identity).verify(
      await house().token(['crew-agent'], 'crew-agent-2'),
    );
    if (verified.kind !== 'verified') throw new Error(verified.message);
    const asked = await approvals.grants.request({
      identity: verified.identity,
      role: 'fraud',
      forMs: 600_000,
      reason: 'a chargeback',
    });
    await approvals.close();
    await store.close();
    expect(asked.kind).toBe('taken');
    const operator = await house().operator();
    const page = await operator.visit(`${house().url}/approvals`);
    expect(page.text).toContain('a chargeback');
    const id = /data-grant="([^"]+)"/.exec(page.text)?.[1] ?? '';
    const given = await operator.post(`${house().url}/approvals/grant/${id}`, {
      csrf: csrfOf(page),
      verdict: 'approve',
    });
    expect(given.text).toContain('Approved.');
    expect(given.text).toMatch(/Granted now[\s\S]*crew-agent-2[\s\S]*fraud/);
    const back = await operator.post(`${house().url}/grants/${id}/revoke`, { csrf: csrfOf(page) });
    expect(back.text).toContain('Revoked.');
    expect(back.text).toContain('Nothing is granted');
  });
});

describe('an identity', () => {
  test('is revoked by an admin: its sessions end, it cannot come back, until that is lifted', async () => {
    const client = await house().agent(['crew-support'], 'crew-lost');
    await client.query('select 1');
    const ended = new Promise((resolve) => client.once('error', resolve));
    const operator = await house().operator();
    const page = await operator.visit(`${house().url}/identity?name=crew-lost`);
    expect(page.text).toContain('Revoke crew-lost…');
    const fields = {
      csrf: csrfOf(page),
      name: 'crew-lost',
      issuer: 'sallyport:local',
      subject: 'crew-lost',
      reason: 'stolen',
    };
    const revoked = await operator.post(`${house().url}/identity/revoke`, fields);
    expect(revoked.text).toMatch(
      /revoked<\/span> <strong>crew-lost<\/strong> of sallyport:local by operator:operator: stolen/,
    );
    await ended;
    await expect(house().agent(['crew-support'], 'crew-lost')).rejects.toThrow('this identity has been revoked');
    const revocation = /name="revocation" value="([^"]+)"/.exec(revoked.text)?.[1] ?? '';
    const lifted = await operator.post(`${house().url}/identity/lift`, {
      csrf: csrfOf(revoked),
      name: 'crew-lost',
      revocation,
    });
    expect(lifted.text).toContain('The revocation was lifted');
    await expect
      .poll(
        () =>
          house()
            .agent(['crew-support'], 'crew-lost')
            .then((back) => back.end().then(() => 'in'), String),
        patient,
      )
      .toBe('in');
  });

  test('has its token revoked with its session, and another token of it still logs in', async () => {
    const client = await house().agent(['crew-support'], 'crew-leak');
    const ended = new Promise((resolve) => client.once('error', resolve));
    const operator = await house().operator();
    const list = await operator.visit(`${house().url}/sessions`);
    const row = /data-session="([^"]+)"(?:(?!<\/tr>)[\s\S])*crew-leak/.exec(list.text)?.[1] ?? '';
    const asked = await operator.visit(`${house().url}/sessions?kill=${row}`);
    expect(asked.text).toContain('value="token"');
    // A credential is offered where the session came in with one.
    expect(asked.text).not.toContain('value="credential"');
    const fields = { csrf: csrfOf(asked), what: 'token', reason: 'seen in a log' };
    const revoked = await operator.post(`${house().url}/sessions/${row}/kill`, fields);
    await ended;
    expect(revoked.text).toMatch(/<h2>Revoked<\/h2>[\s\S]*token [\s\S]*operator:operator[\s\S]*seen in a log/);
    await (await house().agent(['crew-support'], 'crew-leak')).end();
    const action = /action="(\/revocations\/[^"]+\/lift)"/.exec(revoked.text)?.[1] ?? '';
    const lifted = await operator.post(`${house().url}${action}`, { csrf: csrfOf(revoked) });
    expect(lifted.text).toContain('The revocation was lifted');
    expect(lifted.text).not.toContain('seen in a log');
  });

  test('has a credential revoked over the API, and only one thing at a time', async () => {
    const revoke = (body: object) =>
      house().ask('/api/revocations', { method: 'POST', body: JSON.stringify(body) }, ['leads']);
    expect((await revoke({ credential: 'sp-aaaaaaaaaaaa', token: 'x' })).status).toBe(400);
    expect((await revoke({ issuer: 'sallyport:local' })).status).toBe(400);
    expect((await revoke({ credential: 'sp-aaaaaaaaaaaa', reason: 'old' })).status).toBe(200);
    const { items } = (await (await house().ask('/api/revocations', {}, ['leads'])).json()) as { items: object[] };
    expect(items).toContainEqual(expect.objectContaining({ kind: 'credential', what: 'credential sp-aaaaaaaaaaaa' }));
  });

  test('is revoked by nobody else', async () => {
    for (const group of ['staff', 'dba']) {
      const answer = await house().ask(
        '/api/revocations',
        { method: 'POST', body: JSON.stringify({ issuer: 'sallyport:local', subject: 'x' }) },
        [group],
      );
      expect(answer.status).toBe(403);
    }
  });
});

test('the list of approvals says that it has changed since it was drawn, also where that was before its stream began', async () => {
  const operator = await house().operator();
  const drawn = await (await operator.once(`${house().url}/approvals`)).text();
  const stream = /data-refresh="([^"]+)"/.exec(drawn)?.[1] ?? '';
  const { hold, outcome, end } = await held('delete from orders where 4 = 4');
  await expect.poll(async () => (await operator.once(`${house().url}/approvals`)).text()).not.toContain(stream);
  const answer = await operator.once(house().url + stream);
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
  let text = '';
  while (!text.includes('event: changed') && !text.includes(': still here')) {
    text += Buffer.from((await reader.read()).value ?? []).toString('utf8');
  }
  await reader.cancel();
  expect(text).toContain('event: changed');
  await decide(operator, hold.id, 'deny');
  await outcome;
  await end();
});

test('the list of approvals says when it has changed', async () => {
  const operator = await house().operator();
  const answer = await operator.once(`${house().url}/approvals/events`);
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
  const { hold, outcome, end } = await held('delete from orders where 3 = 3');
  let text = '';
  for (const until = Date.now() + 30_000; Date.now() < until && !text.includes('event: changed'); ) {
    text += Buffer.from((await reader.read()).value ?? []).toString('utf8');
  }
  await reader.cancel();
  expect(text).toContain('event: changed');
  await decide(operator, hold.id, 'deny');
  await outcome;
  await end();
});
