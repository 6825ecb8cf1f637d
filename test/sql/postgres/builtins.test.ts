// The tables of the server's own functions against a real server: each function that does more than compute is known to do so.
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  castLike,
  copying,
  effectOf,
  effects,
  firstOnly,
  harmless,
  lastOnly,
  sideDoorRelations,
  steady,
  storedOnly,
  total,
} from '../../../src/sql/postgres/builtins.ts';
import { postgresServer } from '../../support/postgres.ts';

/** Names of extensions, of other server versions, or of the grammar: no server of one version has them all. */
const elsewhere = new Set(
  `pg_set_relation_stats pg_set_attribute_stats hstore digest hmac similarity word_similarity soundex unaccent casefold crc32 crc32c
   pg_read_file_old pg_file_write pg_file_sync pg_file_rename pg_file_unlink pg_logdir_ls pg_rotate_logfile_old pg_start_backup pg_stop_backup
   pg_stop_making_pinned_objects pg_get_object_address_internal pg_read_dictionary pg_stat_reset_single_table_counters
   pg_stats_ext_mcvlist_items pg_restore_extended_stats xmlelement trim extract json_agg_strict jsonb_agg_strict every any_value`
    .trim()
    .split(/\s+/),
);

describe("the server's own functions", () => {
  const server = postgresServer();
  let client: pg.Client;
  beforeAll(async () => {
    client = new pg.Client({ connectionString: server().url() });
    await client.connect();
  });
  afterAll(() => client.end());

  async function names(where: string): Promise<string[]> {
    const { rows } = await client.query<{ proname: string }>(
      `select distinct proname from pg_proc where pronamespace = 'pg_catalog'::regnamespace and ${where} order by 1`,
    );
    return rows.map((row) => row.proname);
  }

  it('that are volatile have an effect on record, or are known to have none', async () => {
    const pseudo = `prorettype not in ('trigger'::regtype, 'event_trigger'::regtype, 'internal'::regtype) and not 'internal'::regtype = any (proargtypes)`;
    const volatile = await names(`provolatile = 'v' and prokind = 'f' and ${pseudo}`);
    expect(volatile.filter((name) => effectOf(name) === undefined && !harmless.has(name))).toEqual([]);
  });

  it('that run SQL, read files or touch large objects cannot be seen through', async () => {
    const risky = await names(
      `prokind = 'f' and (proname ~ '(_to_xml|_to_xmlschema|_to_xml_and_xmlschema)$' or proname ~ '^(pg_read_|pg_ls_|lo_|pg_logical_slot_)')`,
    );
    expect(risky.filter((name) => effectOf(name)?.opaque === undefined && !computes.has(name))).toEqual([]);
  });

  it('stand in the tables by names that the server has', async () => {
    const known = new Set(await names('true'));
    const listed = [
      ...effects.keys(),
      ...total,
      ...firstOnly,
      ...lastOnly,
      ...castLike,
      ...copying,
      ...steady,
      ...storedOnly,
    ];
    const grammar = new Set(['current_catalog', 'current_user', 'session_user', 'current_schema', 'xmlelement']);
    expect(listed.filter((name) => !known.has(name) && !elsewhere.has(name) && !grammar.has(name))).toEqual([]);
  });

  it('views that hold statistics or statements of others are side doors', async () => {
    const { rows } = await client.query<{ relname: string }>(
      `select distinct relname from pg_attribute a join pg_class c on c.oid = a.attrelid
       where relnamespace = 'pg_catalog'::regnamespace and relkind in ('r', 'v')
         and (atttypid = 'anyarray'::regtype or attname ~ '^(most_common_vals|histogram_bounds|rolpassword|passwd|subconninfo|srvoptions|umoptions)$'
           or (attname = 'query' and relname like 'pg_stat%'))`,
    );
    const open = rows.map((row) => row.relname).filter((name) => !sideDoorRelations.has(name));
    // Default values of added columns, options of servers without a user, and roles with their passwords blotted out by the server.
    const fine = new Set(['pg_attribute', 'pg_foreign_server', 'pg_roles', 'pg_user']);
    expect(open.filter((name) => !fine.has(name))).toEqual([]);
  });
});

const computes = new Set(['xmltext']);
