"""SQLAlchemy on psycopg 3, psycopg2 and asyncpg: models, relations, reflection, bulk work, nested transactions."""
import asyncio
import sys

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from common import DATABASE, HOST, PASSWORD, PORT, USER, show


def url(driver):
    return sa.URL.create(f"postgresql+{driver}", USER, PASSWORD, HOST, PORT, DATABASE)


class Base(DeclarativeBase):
    metadata = sa.MetaData(schema="alchemy")


class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(50), unique=True)
    tags: Mapped[list[str]] = mapped_column(ARRAY(sa.String), default=list)
    books: Mapped[list["Book"]] = relationship(back_populates="author", cascade="all, delete-orphan")


class Book(Base):
    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    data: Mapped[dict] = mapped_column(JSONB, default=dict)
    author_id: Mapped[int] = mapped_column(sa.ForeignKey("alchemy.authors.id"))
    author: Mapped[Author] = relationship(back_populates="books")


def work(connection):
    connection.execute(sa.text("drop schema if exists alchemy cascade"))
    connection.execute(sa.text("create schema alchemy"))
    Base.metadata.create_all(connection)
    with Session(bind=connection) as session:
        for i in range(20):
            session.add(Author(name=f"author {i}", tags=["a", str(i)], books=[Book(title=f"book {i}.{k}", data={"k": k}) for k in range(3)]))
        session.flush()
        show("joined", session.execute(sa.select(Author.name, sa.func.count(Book.id)).join(Book).group_by(Author.name).order_by(Author.name).limit(3)).all())
        show("json", session.scalars(sa.select(Book.title).where(Book.data["k"].as_integer() == 2).order_by(Book.id).limit(2)).all())
        show("any", session.scalars(sa.select(Author.id).where(Author.tags.any("7"))).all())
        try:
            with session.begin_nested():
                session.add(Author(name="author 0"))
                session.flush()
        except sa.exc.IntegrityError as error:
            show("integrity", type(error.orig).__name__)
        upsert = insert(Author).values(name="author 1", tags=["new"]).on_conflict_do_update(index_elements=["name"], set_={"tags": ["new"]}).returning(Author.id)
        show("upsert", session.execute(upsert).all())
        session.delete(session.scalars(sa.select(Author).where(Author.name == "author 2")).one())
        session.flush()
        show("left", session.scalar(sa.select(sa.func.count()).select_from(Book)))
        session.execute(sa.insert(Author), [{"name": f"bulk {i}", "tags": []} for i in range(1000)])
        show("bulk", session.scalar(sa.select(sa.func.count()).select_from(Author)))
        session.commit()
    inspector = sa.inspect(connection)
    show("tables", sorted(inspector.get_table_names(schema="alchemy")))
    show("columns", [(c["name"], str(c["type"]), c["nullable"]) for c in inspector.get_columns("books", schema="alchemy")])
    show("keys", [(k["name"], k["constrained_columns"], k["referred_table"]) for k in inspector.get_foreign_keys("books", schema="alchemy")])
    show("indexes", inspector.get_indexes("authors", schema="alchemy"))
    show("pk", inspector.get_pk_constraint("books", schema="alchemy"))
    connection.execute(sa.text("drop schema alchemy cascade"))


def sync(driver):
    engine = sa.create_engine(url(driver))
    with engine.begin() as connection:
        work(connection)
    with engine.connect().execution_options(stream_results=True, yield_per=100) as connection:
        show("streamed", sum(row[0] for row in connection.execute(sa.text("select generate_series(1, 1000)"))))
    engine.dispose()


async def asynchronous():
    engine = create_async_engine(url("asyncpg"))
    async with engine.begin() as connection:
        await connection.run_sync(work)
    await engine.dispose()


if sys.argv[1] == "asyncpg":
    asyncio.run(asynchronous())
else:
    sync(sys.argv[1])
