"""asyncpg: binary types, prepared statements, cursors, COPY, notifications, errors, cancellation."""
import asyncio
import datetime
import decimal
import io
import uuid

import asyncpg
from common import DATABASE, HOST, PASSWORD, PORT, USER, show


async def main():
    c = await asyncpg.connect(host=HOST, port=PORT, user=USER, password=PASSWORD, database=DATABASE)
    show("version", c.get_server_version()[:2])
    await c.execute("drop schema if exists py cascade; create schema py; set search_path = py, public")
    await c.execute("""
        create type mood as enum ('sad', 'glad');
        create type pair as (a int, b text);
        create table everything (id int primary key, t text, n numeric(20, 5), f float8, d date, ts timestamptz, iv interval,
            u uuid, j jsonb, b bytea, ar int[], m mood, p pair, r int4range, ok bool, ip inet)""")
    row = (1, "é\n'\\", decimal.Decimal("12345.67890"), 1.5, datetime.date(2024, 2, 29),
           datetime.datetime(2024, 2, 29, 12, 0, tzinfo=datetime.timezone.utc), datetime.timedelta(days=2, seconds=3),
           uuid.UUID(int=7), '{"a": [1, null]}', bytes(range(256)), [1, None, 3], "glad", (1, "x"),
           asyncpg.Range(1, 5), True, "10.0.0.1")
    await c.execute("insert into everything values (" + ", ".join(f"${i + 1}" for i in range(len(row))) + ")", *row)
    await c.execute("insert into everything (id) values (2)")
    for record in await c.fetch("select * from everything order by id"):
        show("row", tuple(record.values()))
    show("described", [(a.name, a.type.name) for a in (await c.prepare("select * from everything where id = $1")).get_attributes()])
    show("many", await c.executemany("insert into everything (id, t) values ($1, $2)", [(i, f"text {i}") for i in range(10, 510)]))
    statement = await c.prepare("select t from everything where id = $1")
    show("prepared", [await statement.fetchval(i) for i in (10, 11, 999)])
    async with c.transaction():
        total = 0
        async for record in c.cursor("select id from everything where id >= 10 order by id", prefetch=7):
            total += record["id"]
        show("cursor", total)
        cursor = await c.cursor("select id from everything order by id")
        show("fetched", [r["id"] for r in await cursor.fetch(3)])
        show("moved", await cursor.forward(5))
        show("then", (await cursor.fetchrow())["id"])
    out = io.BytesIO()
    show("copied out", await c.copy_from_query("select id, t from everything where id < $1 order by id", 13, output=out, format="csv"))
    show("bytes", out.getvalue())
    show("copied in", await c.copy_records_to_table("everything", records=[(1000, "a"), (1001, None)], columns=["id", "t"]))
    show("copied text", await c.copy_to_table("everything", source=io.BytesIO(b"2000\tx\n2001\t\\N\n"), columns=["id", "t"]))
    for text, values in (("select 1/0", ()), ("selec 1", ()), ("select nowhere from everything", ()), ("insert into everything (id) values ($1)", (1,)),
                         ("select $1::mood", ("angry",)), ("drop table nothing", ())):
        try:
            show("unexpected", await c.fetch(text, *values))
        except asyncpg.PostgresError as error:
            show("error", (type(error).__name__, error.sqlstate, str(error), error.as_dict().get("position"), error.as_dict().get("hint"), error.as_dict().get("detail")))
    try:
        async with c.transaction():
            await c.execute("insert into everything (id) values (5000)")
            async with c.transaction():
                await c.execute("insert into everything (id) values (5001)")
                raise RuntimeError("undo")
    except RuntimeError:
        pass
    show("undone", await c.fetchval("select count(*) from everything where id >= 5000"))
    heard = asyncio.get_running_loop().create_future()
    await c.add_listener("news", lambda _c, _pid, channel, payload: heard.set_result((channel, payload)))
    await c.execute("select pg_notify('news', 'it is so')")
    show("heard", await asyncio.wait_for(heard, 10))
    notices = []
    c.add_log_listener(lambda _c, message: notices.append((message.severity, message.message)))
    await c.execute("do $$ begin raise notice 'said'; raise warning 'warned'; end $$")
    await asyncio.sleep(0.05)
    show("notices", notices)
    try:
        await c.fetch("select pg_sleep(30)", timeout=0.3)
    except asyncio.TimeoutError:
        show("timed out", True)
    show("after", await c.fetchval("select 1"))
    await c.execute("alter table everything add column late int default 7")
    show("changed", await statement.fetchval(10))
    show("wide", tuple((await c.fetchrow("select * from everything where id = 2")).values())[-1])
    await c.reset()
    show("reset", await c.fetchval("show search_path"))
    large = "x" * 5_000_000
    show("large", len(await c.fetchval("select $1::text || $1", large)))
    pool = await asyncpg.create_pool(host=HOST, port=PORT, user=USER, password=PASSWORD, database=DATABASE, min_size=3, max_size=3)
    show("pool", sorted(await asyncio.gather(*(pool.fetchval("select $1::int", i) for i in range(20)))))
    await pool.close()
    await c.execute("drop schema py cascade")
    await c.close()


asyncio.run(main())
