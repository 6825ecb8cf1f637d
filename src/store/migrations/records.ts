// The records as the page and the commands search them: a copy of the journals of all gateways, in partitions by day.
// src/audit/store/ writes and reads them; the journals stay what counts.
import type { Migration } from './types.ts';

export const records: Migration = {
  name: 'records',
  sql: `
    create table sallyport.records (
      time timestamptz not null,
      record text collate "C" not null,
      event text not null,
      session text,
      identity text,
      issuer text,
      groups text[] not null default '{}',
      target text,
      client text,
      role text,
      text text,
      fingerprint text,
      verbs text[] not null default '{}',
      tables text[] not null default '{}',
      columns text[] not null default '{}',
      masked text[] not null default '{}',
      verdict text,
      rule text,
      reason text,
      would_be text[] not null default '{}',
      outcome text,
      sqlstate text,
      rows bigint,
      bytes bigint,
      ms double precision,
      message text,
      details jsonb not null default '{}',
      gateway text not null,
      chain text not null,
      seq bigint not null,
      terms integer[] not null,
      primary key (time, record)
    ) partition by range (time);

    create index records_record on sallyport.records (record);
    -- Every exact word of a filter is a term: one index answers all of them together, without an extension.
    create index records_terms on sallyport.records using gin (terms);

    do $do$
    declare
      place text;
    begin
      begin
        create extension if not exists pg_trgm with schema sallyport;
      exception when others then
        raise notice 'pg_trgm is not available: searches for a text read the records themselves';
      end;
      select quote_ident(nspname) into place
        from pg_extension join pg_namespace on pg_namespace.oid = extnamespace where extname = 'pg_trgm';
      if place is not null then
        execute format(
          'create index records_text on sallyport.records using gin ((coalesce(text, message)) %s.gin_trgm_ops)', place);
      end if;
    end
    $do$;

    -- How far each chain has been copied. It moves in the transaction that writes the records, so that none is there twice.
    create table sallyport.record_chains (
      chain text primary key,
      gateway text not null,
      segment bigint not null,
      position bigint not null,
      seq bigint not null,
      time timestamptz,
      missed bigint not null default 0,
      updated timestamptz not null default now()
    );

    -- Statements whose settlement has not come yet, with the time that finds their record.
    create table sallyport.records_open (
      record text collate "C" primary key,
      time timestamptz not null,
      chain text not null
    );

    -- Names that filters with wildcards or parts of names are looked up in.
    create table sallyport.record_names (
      kind text not null,
      name text collate "C" not null,
      primary key (kind, name)
    );

    -- Counts for the chart.
    create table sallyport.record_minutes (
      minute timestamptz primary key,
      allowed bigint not null default 0,
      denied bigint not null default 0,
      held bigint not null default 0,
      events bigint not null default 0
    );

    -- Counts by name: a rule by the hour; an identity, a table, a column, a masked column, an identity on a table by the day.
    create table sallyport.record_tallies (
      kind text not null,
      name text collate "C" not null,
      part text collate "C" not null default '',
      period timestamptz not null,
      allowed bigint not null default 0,
      denied bigint not null default 0,
      held bigint not null default 0,
      rows bigint not null default 0,
      latest timestamptz not null,
      primary key (kind, name, part, period)
    );
    create index record_tallies_period on sallyport.record_tallies (kind, period);
  `,
};
