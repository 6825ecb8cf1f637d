// Issued credentials, and the SAML assertions that have been used up.
import type { Migration } from './types.ts';

export const credentials: Migration = {
  name: 'credentials',
  sql: `
    create table sallyport.credentials (
      user_name text primary key,
      target text not null,
      -- As in pg_authid.rolpassword; what is here proves a password and is none.
      scram text not null,
      -- SHA1(SHA1(password)) and SHA256(SHA256(password)), as MySQL's login plugins keep them.
      mysql_native bytea not null,
      mysql_sha2 bytea not null,
      identity jsonb not null,
      issued timestamptz not null default now(),
      expires timestamptz not null,
      revoked timestamptz,
      -- Issued by a command, which has no journal: a gateway writes the record.
      unrecorded boolean not null default false
    );
    create index on sallyport.credentials (expires);
    create index on sallyport.credentials (unrecorded) where unrecorded;
    create table sallyport.used_assertions (
      issuer text not null,
      id text not null,
      expires timestamptz not null,
      primary key (issuer, id)
    );
    create index on sallyport.used_assertions (expires);
  `,
};
