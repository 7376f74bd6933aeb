"""A real database that knows whether anybody uses it, for tests that ask whether everything has happened."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from supervision.store.db import Database, Job, PreparedQuery, Reader, Tenant, Unit

T = TypeVar("T")
CALM_ROUNDS = 30  # of the loop; more than any chain of tasks that wake one another without the database


class CalmDatabase(Database):
    """Counts what is under way: in the threads of the database, or waiting for them."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._users = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        self._begin()
        try:
            yield
        finally:
            self._end()

    def _begin(self) -> None:
        self._users += 1
        self._idle.clear()

    def _end(self) -> None:
        self._users -= 1
        if not self._users:
            self._idle.set()

    async def write(self, tenant: Tenant, unit: Unit[T]) -> T:
        with self._in_use():
            return await super().write(tenant, unit)

    async def append(self, job: Job) -> None:
        with self._in_use():
            await super().append(job)

    def append_soon(self, job: Job, settle: Any) -> None:
        def settled(result: object, error: BaseException | None) -> None:
            settle(result, error)
            self._end()

        self._begin()
        super().append_soon(job, settled)

    @asynccontextmanager
    async def read(self, tenant: Tenant) -> AsyncIterator[Reader]:
        with self._in_use():
            async with super().read(tenant) as reader:
                yield reader

    async def ask(self, query: PreparedQuery, **values: Any) -> list[dict[str, Any]]:
        with self._in_use():
            return await super().ask(query, **values)

    async def calm(self) -> None:
        """Wait until nobody uses the database and nobody is about to: only time or a message goes on."""
        rounds = 0
        while rounds < CALM_ROUNDS:
            await self._idle.wait()
            await asyncio.sleep(0)
            rounds = rounds + 1 if self._idle.is_set() else 0
