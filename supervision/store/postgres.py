"""Connections to PostgreSQL: asyncpg's, through SQLAlchemy's pools."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from sqlalchemy import Executable
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from supervision.log import Log
from supervision.store.batch import Batches, Row
from supervision.store.connection import Fetch, Reading, Rows, Writing

log = Log("supervision.store")
T = TypeVar("T")

_BEGIN_READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class PostgresConnection:
    """A pooled connection and its driver's own."""

    def __init__(self, core: AsyncConnection, driver: Any) -> None:
        self.core = core
        self._driver = driver

    async def run(self, statement: Executable, rows: Rows | None, fetch: Fetch[T]) -> T:
        """Run a statement; SQLAlchemy has buffered its result."""
        return fetch(await self.core.execute(statement, rows))

    async def ask(self, sql: str, values: Row) -> Sequence[Sequence[Any]]:
        """Run a prepared query."""
        found: Sequence[Sequence[Any]] = await self._driver.fetch(sql, *values)
        return found

    async def say(self, sql: str) -> None:
        """Send words that begin, end or undo."""
        await self._driver.execute(sql)

    async def add(self, batches: Batches) -> None:
        """Write prepared rows in order."""
        for statement, rows in batches.items():
            await self._driver.executemany(statement.sql, rows)

    async def finish(self, unit: Awaitable[T]) -> T:
        """Wait for a unit."""
        return await unit

    def cancelled(self) -> bool:
        """Tell whether the task that uses this connection must end."""
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0


class PostgresSource:
    """One connection to write, some to read; each is tried before use, because servers come and go."""

    begin_writing = "BEGIN"

    def __init__(self, url: URL, *, readers: int) -> None:
        self._writer = _engine(url, pool_size=1)
        self._readers = _engine(url, pool_size=readers)
        self.dialect = self._writer.dialect

    async def open(self) -> None:
        """Nothing: pools connect when they are asked, and again when the server was away."""

    async def write(self, work: Callable[[Writing], Coroutine[Any, Any, None]]) -> None:
        """Let `work` have the connection that writes."""
        async with _connected(self._writer) as connection:
            await work(connection)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Reading]:
        """Lend a connection for one transaction that reads."""
        async with _connected(self._readers) as connection:
            await connection.say(_BEGIN_READING)
            try:
                yield connection
            finally:
                if not connection.core.invalidated:  # a cancelled reader's connection is closed already
                    await _end_reading(connection)

    async def ask(self, sql: str, values: Row) -> Sequence[Sequence[Any]]:
        """Run one prepared query."""
        async with _connected(self._readers) as connection:
            return await connection.ask(sql, values)

    async def close(self) -> None:
        """Close both pools."""
        await self._readers.dispose()
        await self._writer.dispose()


@asynccontextmanager
async def _connected(engine: AsyncEngine) -> AsyncIterator[PostgresConnection]:
    async with engine.connect() as core:
        # SQLAlchemy rolls back after an error unless it believes to be in a transaction; in autocommit
        # this begin reaches no database, but it keeps the other units of a group alive.
        await core.begin()
        raw = await core.get_raw_connection()
        yield PostgresConnection(core, raw.driver_connection)


async def _end_reading(connection: PostgresConnection) -> None:
    try:
        await connection.say("ROLLBACK")
    except Exception as error:
        log.warning("store.rollback_failed", error=type(error).__name__)


def _engine(url: URL, *, pool_size: int) -> AsyncEngine:
    """Make an engine whose transactions are ours alone: the driver is in autocommit."""
    return create_async_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_size=pool_size,
        max_overflow=0,
        pool_reset_on_return=None,
        pool_pre_ping=True,
    )
