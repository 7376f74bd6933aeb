"""Connections to SQLite: aiosqlite's, each with a thread of its own, where SQLAlchemy works beside it.

A visit to that thread wakes it and then the event loop, which costs more than most statements do. So a whole
group of units is one visit: inside it SQLAlchemy's synchronous core runs each statement at once, and the
units, which await nothing but their connection, never wait.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import aiosqlite
from sqlalchemy import Connection as Core
from sqlalchemy import Engine, Executable, NullPool, create_engine
from sqlalchemy.engine import URL

from supervision.store import batch
from supervision.store.batch import Batches, Row
from supervision.store.connection import Fetch, Reading, Rows, Writing

T = TypeVar("T")

_EVERY = ("foreign_keys=ON", "busy_timeout=5000")
_WRITER = (*_EVERY, "journal_mode=WAL", "synchronous=FULL", "temp_store=MEMORY")
# Only the writer checkpoints: two that do can corrupt a WAL before SQLite 3.51.3.
_READER = (*_EVERY, "query_only=ON", "wal_autocheckpoint=0")


def complete(work: Awaitable[T]) -> T:
    """Bring work to its end at once; RuntimeError when it waits for anything."""
    steps = work.__await__()
    try:
        next(steps)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    steps.close()
    raise RuntimeError("a unit of work awaits nothing but its Tx")


async def _in_thread(driver: Any, work: Callable[..., T], *arguments: Any) -> T:
    """Run `work` where the driver runs its own statements; it has no public call for several at once."""
    result: T = await driver._execute(work, *arguments)  # noqa: SLF001
    return result


class SqliteConnection:
    """A connection as it is inside its thread: everything is done when it returns."""

    def __init__(self, core: Core, driver: sqlite3.Connection) -> None:
        self.core = core
        self._driver = driver

    async def run(self, statement: Executable, rows: Rows | None, fetch: Fetch[T]) -> T:
        """Run a statement."""
        return fetch(self.core.execute(statement, rows))

    async def ask(self, sql: str, values: Row) -> Sequence[Sequence[Any]]:
        """Run a prepared query."""
        return self._driver.execute(sql, values).fetchall()

    async def say(self, sql: str) -> None:
        """Send words that begin, end or undo."""
        self._driver.execute(sql)

    async def add(self, batches: Batches) -> None:
        """Write prepared rows in order."""
        batch.write_rows(self._driver, batches)

    async def finish(self, unit: Awaitable[T]) -> T:
        """Run a unit."""
        return complete(unit)

    def cancelled(self) -> bool:
        """No task runs in this thread: a cancellation is always a unit's own."""
        return False

    def reading(self) -> SqliteConnection:
        """Return itself, in a transaction that begins with the first statement of a reader."""
        if not self._driver.in_transaction:
            self._driver.execute("BEGIN")
        return self

    def end_reading(self) -> None:
        """End the transaction, if a statement began one."""
        if self._driver.in_transaction:
            self._driver.execute("ROLLBACK")


class Room:
    """One connection and the thread it lives in."""

    def __init__(self, driver: aiosqlite.Connection, connection: SqliteConnection) -> None:
        self._driver = driver
        self._connection = connection

    async def visit(self, work: Callable[[SqliteConnection], T]) -> T:
        """Run `work` in the thread, after everything that was asked of it before."""
        return await _in_thread(self._driver, work, self._connection)

    async def run(self, statement: Executable, rows: Rows | None, fetch: Fetch[T]) -> T:
        """Run a statement for a reader on the event loop."""
        return await self.visit(lambda connection: complete(connection.reading().run(statement, rows, fetch)))

    async def ask(self, sql: str, values: Row) -> Sequence[Sequence[Any]]:
        """Run a prepared query for a reader on the event loop."""
        return await self.visit(lambda connection: complete(connection.reading().ask(sql, values)))

    async def close(self) -> None:
        """Close the connection and end the thread."""
        try:
            await self.visit(lambda connection: connection.core.close())
        finally:
            await self._driver.close()


class SqliteSource:
    """One connection to write, some to read."""

    begin_writing = "BEGIN IMMEDIATE"

    def __init__(self, url: URL, *, readers: int) -> None:
        self._opening = threading.local()  # the driver's connection, while its thread hands it to SQLAlchemy
        self._engine = self._make_engine()
        self.dialect = self._engine.dialect
        self._connect = self._connector(url)
        self._readers = readers
        self._turns = asyncio.Semaphore(readers)
        self._idle: list[Room] = []
        self._rooms: list[Room] = []

    async def open(self) -> None:
        """Open every connection: one that opened for a caller who is cancelled would stay behind."""
        self._writer = await self._open(_WRITER)
        for _ in range(self._readers):
            self._idle.append(await self._open(_READER))

    async def write(self, work: Callable[[Writing], Coroutine[Any, Any, None]]) -> None:
        """Let `work` have the connection that writes, in one visit."""
        await self._writer.visit(lambda connection: complete(work(connection)))

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Reading]:
        """Lend a connection for one transaction that reads."""
        async with self._reader() as room:
            try:
                yield room
            finally:
                await room.visit(SqliteConnection.end_reading)

    async def ask(self, sql: str, values: Row) -> Sequence[Sequence[Any]]:
        """Run one prepared query."""
        async with self._reader() as room:
            return await room.visit(lambda connection: complete(connection.ask(sql, values)))

    @asynccontextmanager
    async def _reader(self) -> AsyncIterator[Room]:
        async with self._turns:
            room = self._idle.pop()
            try:
                yield room
            finally:
                self._idle.append(room)  # cancelled or not: what is asked next waits for what was asked

    async def close(self) -> None:
        """Close every connection."""
        while self._rooms:
            await self._rooms.pop().close()
        self._engine.dispose()

    async def _open(self, pragmas: Sequence[str]) -> Room:
        driver = await self._connect()
        try:
            connection = await _in_thread(driver, self._inside, driver, pragmas)
        except BaseException:
            if (stopped := driver.stop()) is not None:
                await stopped
            raise
        room = Room(driver, connection)
        self._rooms.append(room)
        return room

    def _inside(self, driver: aiosqlite.Connection, pragmas: Sequence[str]) -> SqliteConnection:
        raw = driver._conn  # noqa: SLF001
        for pragma in pragmas:
            raw.execute(f"PRAGMA {pragma}")
        self._opening.connection = raw
        core = self._engine.connect()
        core.begin()  # in autocommit it reaches no database; without it an error would roll back the group
        return SqliteConnection(core, raw)

    def _make_engine(self) -> Engine:
        """One engine for all threads, so that each statement is compiled once."""
        return create_engine(
            "sqlite://",
            creator=lambda: self._opening.connection,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
        )

    def _connector(self, url: URL) -> Callable[[], Awaitable[aiosqlite.Connection]]:
        arguments, options = self.dialect.create_connect_args(url)

        def connect() -> Awaitable[aiosqlite.Connection]:
            driver = aiosqlite.connect(*arguments, **options, isolation_level=None)
            driver._thread.daemon = True  # noqa: SLF001 - a process that must end does not wait for it
            return driver

        return connect
