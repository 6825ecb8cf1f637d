"""psycopg 3: client and server side parameters, binary, pipeline mode, server cursors, COPY, two-phase commit, notifications."""
import datetime
import decimal
import threading

import psycopg
from psycopg import sql
from psycopg.rows import dict_row, namedtuple_row
from psycopg.types.json import Jsonb
from common import DATABASE, HOST, PASSWORD, PORT, USER, show


def connect(**more):
    return psycopg.connect(host=HOST, port=PORT, user=USER, password=PASSWORD, dbname=DATABASE, **more)


def failing(label, work):
    try:
        show(label, ("unexpected", work()))
    except psycopg.Error as error:
        diag = error.diag
        show(label, (type(error).__name__, error.sqlstate, diag.message_primary, diag.message_detail, diag.message_hint, diag.statement_position,
                     diag.table_name, diag.constraint_name))


c = connect(autocommit=True)
show("server", (c.info.server_version // 10000, c.info.encoding, c.info.parameter_status("integer_datetimes")))
c.execute("drop schema if exists py3 cascade")
c.execute("create schema py3")
c.execute("set search_path = py3")
c.execute("create table t (id int primary key, name text, amount numeric, at timestamptz, doc jsonb, raw bytea, list text[])")
values = (1, "naïve", decimal.Decimal("1.10"), datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc), Jsonb({"k": [1]}), b"\x00\xff", ["a", None])
c.execute("insert into t values (%s, %s, %s, %s, %s, %s, %s)", values)
for binary in (False, True):
    show(f"binary {binary}", c.cursor(binary=binary).execute("select id, name, amount, at, doc, raw, list from t").fetchall())
show("dict", c.cursor(row_factory=dict_row).execute("select id, name from t").fetchone())
show("tuple", c.cursor(row_factory=namedtuple_row).execute("select id, name from t").fetchone())
cur = c.cursor()
cur.executemany("insert into t (id, name) values (%s, %s)", [(i, f"n{i}") for i in range(2, 102)])
show("executemany", cur.rowcount)
cur.executemany("insert into t (id) values (%s) returning id", [(200,), (201,)], returning=True)
found = []
while True:
    found.append(cur.fetchall())
    if not cur.nextset():
        break
show("returning", found)
cur.execute("select 1; select 'two' as b; update t set name = name where id < 5")
found = []
while True:
    found.append(cur.fetchall() if cur.description else cur.rowcount)
    if not cur.nextset():
        break
show("several", found)
with c.pipeline() as pipe:
    one = c.execute("select %s::int", (1,))
    two = c.execute("insert into t (id) values (300) returning id")
    pipe.sync()
    three = c.execute("select count(*) from t")
    show("pipeline", (one.fetchone(), two.fetchone(), three.fetchone()))
def broken():
    with c.pipeline():
        c.execute("insert into t (id) values (301)")
        c.execute("select 1/0")
        c.execute("insert into t (id) values (302)")
failing("pipeline error", broken)
show("after pipeline", c.execute("select array_agg(id order by id) from t where id in (301, 302)").fetchone())
for n in range(8):
    c.execute("select name from t where id = %s", (n,), prepare=None)
show("prepared", c.execute("select count(*) from pg_prepared_statements where statement like %s", ("select name from t%",)).fetchone())
c.autocommit = False
with c.cursor("big", scrollable=True) as server:
    server.itersize = 10
    server.execute("select id from t order by id")
    show("server cursor", (server.fetchone(), len(server.fetchmany(25))))
    server.scroll(0, mode="absolute")
    show("scrolled", server.fetchmany(2))
    show("summed", sum(row[0] for row in server))
c.commit()
with c.cursor("held", withhold=True) as server:
    server.execute("select id from t order by id limit 5")
    c.commit()
    show("held", server.fetchall())
with c.cursor().copy("copy (select id, name from t where id < 5 order by id) to stdout") as copy:
    show("copy out", [bytes(block) for block in copy])
with c.cursor().copy("copy (select id, name from t where id < 4 order by id) to stdout (format binary)") as copy:
    copy.set_types(["int4", "text"])
    show("copy binary", list(copy.rows()))
with c.cursor().copy("copy t (id, name) from stdin") as copy:
    for i in range(1000, 3000):
        copy.write_row((i, "x" * (i % 50)))
show("copied", c.execute("select count(*), sum(length(name)) from t where id >= 1000").fetchone())
c.commit()
def copyfail():
    with c.cursor().copy("copy t (id) from stdin") as copy:
        copy.write("5000\n")
        raise psycopg.DataError("stopped by the client")
failing("copy fail", copyfail)
c.rollback()
show("status", c.info.transaction_status.name)
failing("unique", lambda: c.execute("insert into t (id) values (1)"))
show("status", c.info.transaction_status.name)
failing("aborted", lambda: c.execute("select 1"))
c.rollback()
try:
    with c.transaction():
        c.execute("insert into t (id) values (6000)")
        try:
            with c.transaction("inner"):
                c.execute("insert into t (id) values (6001)")
                c.execute("insert into t (id) values (6001)")
        except psycopg.errors.UniqueViolation:
            pass
except psycopg.Error as error:
    show("unexpected", error)
show("savepoints", c.execute("select array_agg(id) from t where id >= 6000").fetchone())
c.rollback()
show("composed", c.execute(sql.SQL("select {} from {} where id = {}").format(sql.Identifier("name"), sql.Identifier("py3", "t"), sql.Literal(2))).fetchone())
failing("syntax", lambda: c.execute("select from where"))
c.rollback()
failing("undefined", lambda: c.execute("select * from nowhere where id = %s", (1,)))
c.rollback()
c.autocommit = True
notices = []
c.add_notice_handler(lambda diag: notices.append((diag.severity, diag.message_primary)))
c.execute("do $$ begin raise notice 'hello %', 1; end $$")
show("notices", notices)
other = connect(autocommit=True)
c.execute("listen news")
other.execute("notify news, 'payload'")
show("notify", [(n.channel, n.payload) for n in c.notifies(timeout=10, stop_after=1)])
timer = threading.Timer(0.5, c.cancel_safe)
timer.start()
failing("cancelled", lambda: c.execute("select pg_sleep(20)"))
show("alive", c.execute("select 42").fetchone())
client = psycopg.ClientCursor(c)
show("client side", client.execute("select %s, %s, %s", ("it's \\", None, 3)).fetchone())
show("stream", sum(row[0] for row in c.cursor().stream("select generate_series(1, %s)", (2000,))))
show("options", connect(options="-c statement_timeout=12345 -c search_path=py3").execute("select current_setting('statement_timeout'), current_schema").fetchone())
c.execute("drop schema py3 cascade")
