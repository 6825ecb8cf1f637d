# psql: scripts, \d, \copy both ways, \gx, \watch-less loops, variables, errors with positions, large results by cursors.
psql -X -v ON_ERROR_STOP=0 -v FETCH_COUNT=7 <<'SQL'
drop schema if exists prog cascade;
create schema prog;
set search_path = prog;
create table t (id int primary key, name text not null, amount numeric(10, 2) default 0 check (amount >= 0));
create index on t (name);
create view v as select id, upper(name) as name from t;
insert into t select n, 'name ' || n from generate_series(1, 100) n;
\d t
\d+ v
\dt prog.*
select * from t where id < 10 order by id;
\gx
\copy (select * from t where id < 5 order by id) to stdout with csv header
\copy t (id, name) from stdin
1000	copied
1001	too
\.
select count(*), sum(id) from t \gset
\echo :count :sum
insert into t (id, name) values (1, 'again');
selec 1;
select nowhere from t;
insert into t (id, name, amount) values (2000, 'x', -1);
begin; insert into t (id, name) values (3000, 'x'); savepoint s; select 1/0; rollback to s; commit;
select id from t where id >= 3000;
prepare p (int) as select name from t where id = $1;
execute p(7);
select format('select %s as n', n) from generate_series(1, 3) n \gexec
explain (costs off) select * from t where name = 'name 5';
do $$ begin raise notice 'said'; end $$;
\dn prog
\df prog.*
drop schema prog cascade;
SQL
