// Tables of just-in-time access: who is alive, what is held, granted and revoked, who is connected, and what is still to be told.
import type { Migration } from './types.ts';

export const approvals: Migration = {
  name: 'approvals-1',
  sql: `
create table sallyport.gateways (
  id text primary key,
  host text not null,
  pid integer not null,
  started timestamptz not null default now(),
  seen timestamptz not null default now()
);

create table sallyport.holds (
  id text primary key,
  state text not null,
  gateway text not null,
  session text not null,
  record text not null,
  issuer text not null,
  subject text not null,
  identity text not null,
  groups text[] not null,
  client text not null,
  target text not null,
  role text not null,
  rule text not null,
  message text not null,
  text text not null,
  parameters jsonb not null,
  fingerprint text not null,
  estimate jsonb not null,
  approver_groups text[] not null,
  approver_count integer not null,
  timeout_ms bigint not null,
  created timestamptz not null default now(),
  expires timestamptz not null,
  decided timestamptz,
  released timestamptz,
  reason text
);
create index holds_by_state on sallyport.holds (state, created);

create table sallyport.grants (
  id text primary key,
  state text not null,
  issuer text not null,
  subject text not null,
  identity text not null,
  groups text[] not null,
  role text not null,
  reason text not null,
  for_ms bigint not null,
  approver_groups text[] not null,
  approver_count integer not null,
  timeout_ms bigint not null,
  created timestamptz not null default now(),
  expires timestamptz not null,
  starts timestamptz,
  ends timestamptz,
  revoked_by text,
  revoked_reason text,
  revoked_at timestamptz
);
create index grants_by_state on sallyport.grants (state, created);
-- One open request for a role of an identity.
create unique index grants_pending on sallyport.grants (issuer, subject, role) where state = 'pending';

create table sallyport.opinions (
  about text not null,
  person text not null,
  name text not null,
  issuer text,
  subject text,
  verdict text not null,
  reason text,
  for_ms bigint,
  at timestamptz not null default now(),
  primary key (about, person)
);

create table sallyport.agreements (
  hold text primary key,
  issuer text not null,
  subject text not null,
  target text not null,
  rule text not null,
  fingerprint text not null,
  agreed_by text[] not null,
  until timestamptz not null
);

create table sallyport.revocations (
  id text primary key,
  kind text not null,
  issuer text,
  value text not null,
  revoked_by text not null,
  reason text,
  at timestamptz not null default now()
);

create table sallyport.sessions (
  id text primary key,
  gateway text not null,
  issuer text not null,
  subject text not null,
  identity text not null,
  groups text[] not null,
  target text not null,
  client text not null,
  token_id text,
  credential text,
  started timestamptz not null,
  last_statement timestamptz
);
create index sessions_by_gateway on sallyport.sessions (gateway);

create table sallyport.approval_events (
  id text primary key,
  at timestamptz not null default now(),
  kind text not null,
  about text not null,
  owner text,
  record jsonb not null,
  body jsonb not null,
  audited timestamptz,
  notify text not null,
  attempts integer not null default 0,
  due timestamptz not null default now()
);
create index approval_events_open on sallyport.approval_events (at) where audited is null;
create index approval_events_due on sallyport.approval_events (due) where notify = 'due';
`,
};
