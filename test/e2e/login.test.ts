// Who gets in, and what a wrong token hears.
import { generateKeyPair, SignJWT } from 'jose';
import pg from 'pg';
import { expect, test } from 'vitest';
import { house } from './support.ts';

const at = house();

async function refusal(password: string, database = 'shop'): Promise<pg.DatabaseError> {
  const client = new pg.Client({ host: '127.0.0.1', port: at().port, user: 'agent', password, database });
  const error = await client.connect().then(
    async () => {
      await client.end();
      return undefined;
    },
    (cause: unknown) => cause,
  );
  if (error instanceof pg.DatabaseError) return error;
  throw new Error(`expected a refused login, got ${String(error)}`);
}

test('a good token logs in and names the session', async () => {
  const { rows } = await at().connected((client) => client.query('select current_user as name'));
  expect(rows).toEqual([{ name: 'gateway' }]);
});

test('a token signed by somebody else is refused with 28P01 and without the token', async () => {
  const { privateKey } = await generateKeyPair('EdDSA');
  const forged = await new SignJWT({ groups: ['crew-support'] })
    .setProtectedHeader({ alg: 'EdDSA' })
    .setIssuer('sallyport:local')
    .setAudience('sallyport')
    .setSubject('mallory')
    .setExpirationTime('5m')
    .sign(privateKey);
  const error = await refusal(forged);
  expect(error.code).toBe('28P01');
  expect(error.severity).toBe('FATAL');
  expect(error.message).toMatch(/^sallyport: login refused/);
  expect(JSON.stringify({ ...error, message: error.message })).not.toContain(forged.slice(0, 20));
});

test('a password that is no token, an empty one, and a huge one are refused each', async () => {
  for (const password of ['secret', ' ', 'x'.repeat(60_000)]) {
    expect((await refusal(password)).code).toBe('28P01');
  }
});

test('a target that is not there and a group without a role are refused by name', async () => {
  expect((await refusal(await at().token(), 'nowhere')).message).toContain('nowhere');
  const error = await refusal(await at().token(['strangers']));
  expect(error.code).toMatch(/^28/);
  expect(error.message).toContain('no-role');
});

test('a hundred refused logins leave the gateway serving', async () => {
  await Promise.all(Array.from({ length: 100 }, () => refusal('nope')));
  await at().connected((client) => client.query('select 1'));
});
