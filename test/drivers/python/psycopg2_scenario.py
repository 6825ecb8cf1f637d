"""psycopg2: client-side interpolation, named cursors, COPY, large values, errors, cancellation."""
import io
import threading

import psycopg2
import psycopg2.extras
from common import DATABASE, HOST, PASSWORD, PORT, USER, show

c = psycopg2.connect(host=HOST, port=PORT, user=USER, password=PASSWORD, dbname=DATABASE)
cur = c.cursor()
cur.execute("drop schema if exists py2 cascade; create schema py2; set search_path = py2")
cur.execute("create table t (id int primary key, name text, raw bytea, doc json, list int[])")
cur.execute("insert into t values (%s, %s, %s, %s, %s)", (1, "it's \\ ü", psycopg2.Binary(bytes(range(256))), psycopg2.extras.Json({"a": 1}), [1, 2]))
c.commit()
cur.execute("select id, name, raw, doc, list from t")
row = cur.fetchone()
show("row", (row[0], row[1], bytes(row[2]), row[3], row[4]))
show("description", [(d.name, d.type_code) for d in cur.description])
psycopg2.extras.execute_values(cur, "insert into t (id, name) values %s", [(i, f"n{i}") for i in range(2, 302)], page_size=100)
show("values", cur.rowcount)
psycopg2.extras.execute_batch(cur, "update t set name = name || %s where id = %s", [("!", i) for i in range(2, 22)], page_size=5)
c.commit()
with c.cursor("named") as server:
    server.itersize = 50
    server.execute("select id from t order by id")
    show("named", (server.fetchone(), sum(r[0] for r in server)))
with c.cursor("scroll", scrollable=True) as server:
    server.execute("select id from t order by id")
    server.scroll(10)
    show("scrolled", server.fetchmany(2))
c.commit()
out = io.StringIO()
cur.copy_expert("copy (select id, name from t where id < 5 order by id) to stdout with csv header", out)
show("copy", out.getvalue())
cur.copy_from(io.StringIO("5000\tx\n5001\t\\N\n"), "t", columns=("id", "name"))
c.commit()
for text, values in (("select 1/%s", (0,)), ("insert into t (id) values (%s)", (1,)), ("selec", ()), ("select nope from t", ()), ("table missing", ())):
    try:
        cur.execute(text, values)
        show("unexpected", cur.fetchall())
    except psycopg2.Error as error:
        show("error", (type(error).__name__, error.pgcode, error.pgerror, error.diag.statement_position, error.diag.constraint_name))
    c.rollback()
    cur.execute("set search_path = py2")
    c.commit()
cur.execute("do $$ begin raise notice 'heard'; end $$")
show("notices", c.notices[-1:])
c.commit()
c.set_session(isolation_level="SERIALIZABLE", readonly=True)
cur.execute("show transaction_isolation")
show("isolation", cur.fetchone())
try:
    cur.execute("insert into t (id) values (9)")
except psycopg2.Error as error:
    show("read only", (error.pgcode, str(error)))
c.rollback()
c.set_session(readonly=False, autocommit=True)
threading.Timer(0.5, c.cancel).start()
try:
    cur.execute("select pg_sleep(20)")
except psycopg2.Error as error:
    show("cancelled", (error.pgcode, str(error)))
cur.execute("listen ch; select pg_notify('ch', 'p')")
c.poll()
show("notifies", [(n.channel, n.payload) for n in c.notifies])
cur.callproc("pg_catalog.upper", ("abc",))
show("proc", cur.fetchone())
c.set_session(autocommit=False)
# lobject() itself speaks the FunctionCall message, which the gateway refuses; the functions in SQL are the same.
cur.execute("select lo_from_bytea(0, %s)", (psycopg2.Binary(b"large" * 1000),))
oid = cur.fetchone()[0]
cur.execute("select length(lo_get(%s)), lo_unlink(%s)", (oid, oid))
show("lob", cur.fetchone())
c.commit()
cur.execute("drop schema py2 cascade")
c.commit()
