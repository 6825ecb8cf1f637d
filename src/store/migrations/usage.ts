// What identities have used of their budgets, and who is paused: shared by all gateways of a store.
import type { Migration } from './types.ts';

export const usage: Migration = {
  name: 'usage',
  sql: `
    create table sallyport.usage (
      gateway text not null,
      key text not null,
      minute bigint not null,
      statements bigint not null,
      rows bigint not null,
      day bigint not null,
      bytes bigint not null,
      primary key (gateway, key)
    );
    create table sallyport.pauses (
      key text primary key,
      until timestamptz not null,
      why text not null
    )`,
};
