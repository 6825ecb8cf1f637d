// Tables of the console: people who are logged in, logins on their way, one-time links. Secrets are kept as hashes only.
import type { Migration } from './types.ts';

export const consoleMigrations: readonly Migration[] = [
  {
    name: 'console-1',
    sql: `
      create table sallyport.console_sessions (
        hash text primary key,
        person jsonb not null,
        csrf text not null,
        created timestamptz not null default now(),
        seen timestamptz not null default now(),
        expires timestamptz not null
      );
      create index on sallyport.console_sessions (expires);
      create table sallyport.console_links (
        hash text primary key,
        name text not null,
        role text not null,
        created timestamptz not null default now(),
        expires timestamptz not null
      );
      create table sallyport.console_logins (
        hash text primary key,
        browser text not null,
        nonce text not null,
        verifier text not null,
        path text not null,
        expires timestamptz not null
      );`,
  },
];
