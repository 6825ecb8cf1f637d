# pg_dump in plain and custom form, and pg_restore of what it wrote. An older pg_dump refuses a newer server and says so on both sides.
set -o pipefail
psql -X -q <<'SQL'
drop schema if exists dumped cascade;
create schema dumped;
create type dumped.mood as enum ('sad', 'glad');
create table dumped.a (id serial primary key, m dumped.mood, doc jsonb, raw bytea);
create table dumped.b (id int references dumped.a, at timestamptz default '2024-01-01', gen int generated always as (id * 2) stored);
create view dumped.v as select a.id, b.gen from dumped.a join dumped.b using (id);
create function dumped.f(x int) returns int language plpgsql as $$ begin return x + 1; end $$;
create trigger t before update on dumped.a for each row execute function suppress_redundant_updates_trigger();
insert into dumped.a (m, doc, raw) select 'glad', jsonb_build_object('n', n), decode(lpad(to_hex(n), 8, '0'), 'hex') from generate_series(1, 2000) n;
insert into dumped.b select n from generate_series(1, 2000) n;
SQL
file=$(mktemp)
pg_dump -n dumped | grep -v '^\\\(un\)\?restrict'
pg_dump -n dumped --inserts --rows-per-insert=100 | md5sum | wc -c
pg_dump -n dumped -Fc -f "$file" && psql -X -q -c 'drop schema dumped cascade' 2>&1 | grep -v NOTICE
pg_restore --single-transaction -d "$PGDATABASE" "$file" && psql -X -At -c 'select count(*), sum(gen) from dumped.v' -c 'select md5(string_agg(a::text, chr(10) order by id)) from dumped.a'
psql -X -q -c 'set client_min_messages = error; drop schema dumped cascade'
rm -f "$file"
