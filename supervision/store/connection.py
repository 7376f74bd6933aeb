"""What the store needs of a connection, and of where connections come from, for either database.

Both give autocommit: transactions are begun and ended by the words the store sends, and by nothing else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar

from sqlalchemy import CursorResult, Dialect, Executable

from supervision.store.batch import Batches, Row

T = TypeVar("T")

Rows = Sequence[Mapping[str, Any]]
Fetch = Callable[[CursorResult[Any]], T]  # called once, before the next statement


class Reading(Protocol):
    """A connection that reads; the first statement fixes what all of them see."""

    async def run(self, statement: Executable, rows: Rows | None, fetch: Fetch[T]) -> T:
        """Run a statement; return what `fetch` makes of its result."""
        ...

    async def ask(self, sql: str, values: Row) -> Sequence[Sequence[Any]]:
        """Run a prepared query; return the driver's rows."""
        ...


class Writing(Reading, Protocol):
    """The connection that writes."""

    async def say(self, sql: str) -> None:
        """Send words that begin, end or undo."""
        ...

    async def add(self, batches: Batches) -> None:
        """Write prepared rows in order."""
        ...

    async def finish(self, unit: Awaitable[T]) -> T:
        """Bring a unit to its end. It awaits nothing but this connection."""
        ...

    def cancelled(self) -> bool:
        """Tell whether who uses this connection must end, so that a cancellation is not a unit's own."""
        ...


class Source(Protocol):
    """Where the connections of one open database come from."""

    dialect: Dialect
    begin_writing: str

    async def open(self) -> None:
        """Open what must stand before anything is asked."""
        ...

    async def write(self, work: Callable[[Writing], Coroutine[Any, Any, None]]) -> None:
        """Let `work` have the one connection that writes; it awaits nothing else."""
        ...

    def reading(self) -> AbstractAsyncContextManager[Reading]:
        """Lend a connection for one transaction that reads."""
        ...

    async def ask(self, sql: str, values: Row) -> Sequence[Sequence[Any]]:
        """Run one prepared query outside of any transaction: it sees what was committed before."""
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...
