// The table that the masking benchmarks read: people with e-mail addresses, numbers and documents, the same in every run.
import pg from 'pg';
import type { EmbeddedServer } from '../../src/store/embedded.ts';

/** Two columns keep their last four characters, one is redacted. `target` may be a wildcard. */
export function peopleMasks(target: string): string {
  return `masks:
  - columns: ["${target}.*.people.ssn", "${target}.*.people.card_number"]
    mask: { keep-last: 4 }
  - columns: ["${target}.*.people.email"]
    mask: redact
`;
}

/** Makes the database `bench` with the table `people`; gives the mean length of a DataRow of its first eight columns in text. */
export async function makePeople(server: EmbeddedServer, rows: number): Promise<number> {
  await withClient(server.url(), (client) => client.query('create database bench'));
  return withClient(server.url('bench'), async (client) => {
    await client.query(`
      create unlogged table people as
      select g as id, md5(g::text)::varchar(8) as name, 'p' || g || '@example.com' as email,
        '9' || to_char(g % 100, 'FM00') || '-' || to_char(g % 49 + 1, 'FM00') || '-' || to_char(g % 9999 + 1, 'FM0000') as ssn,
        '400000' || to_char(g, 'FM0000000000') as card_number, '555 01' || to_char(g % 100, 'FM00') as phone,
        (array['Albany', 'Boise', 'Chicago', 'Denver', 'Houston', 'Seattle'])[g % 6 + 1] as city, ((g % 100000)::numeric / 100)::numeric(10,2) as amount,
        jsonb_build_object('contact', jsonb_build_object('ssn', '9' || to_char(g, 'FM00000000'), 'city', 'Oslo'), 'n', g) as document
      from generate_series(1, ${rows}) g`);
    await client.query('vacuum analyze people');
    const { rows: sizes } = await client.query<{ bytes: number }>(`
      select avg(7 + 8 * 4 + length(id::text || name || email || ssn || card_number || phone || city || amount))::float8 as bytes
      from people where id % 100 = 0`);
    return sizes[0]?.bytes ?? Number.NaN;
  });
}

async function withClient<T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}
