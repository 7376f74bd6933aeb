"""One writer that commits in groups, and readers with their own connections.

`write` takes a unit of work: it runs inside a savepoint of its own, and every unit that waits at that
moment shares one commit. `append` is the hot path for rows whose statements are known beforehand: the
rows of all waiting jobs go to the driver in one executemany per statement. Both return after COMMIT;
with SQLite's ``synchronous=FULL`` what was answered survives a power cut.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import CursorResult, Executable, Float, Select, Table, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.types import TypeEngine

from supervision.clock import Clock
from supervision.kernel.events import Event
from supervision.kernel.timespan import to_millis
from supervision.log import Log
from supervision.store import batch, guard
from supervision.store.batch import Prepared, PreparedQuery, Row
from supervision.store.changes import Changes
from supervision.store.connection import Fetch, Reading, Rows, Source, Writing
from supervision.store.guard import AcrossTenants, Tenant, across_tenants
from supervision.store.postgres import PostgresSource
from supervision.store.schema import outbox_events
from supervision.store.sqlite import SqliteSource

__all__ = [
    "Database",
    "Job",
    "Prepared",
    "PreparedQuery",
    "Reader",
    "StoreUnavailableError",
    "Tenant",
    "Tx",
    "across_tenants",
]

log = Log("supervision.store")
T = TypeVar("T")

MAX_GROUP = 500  # units or jobs that share one commit; larger groups only add latency
READERS = 4
# Turns of the event loop before a group is closed: in the first the sockets that can be read are found, in
# the second their messages join. Under load that makes groups large, at rest it costs microseconds.
TURNS_TO_GATHER = 2

_DOUBLE_PRECISION = 701  # PostgreSQL's code of the type: SQLAlchemy asks for it where floats are read

_OF_ROWS = across_tenants("rows carry their organisation")

# SQLSTATE classes that say "not now" rather than "not this": connection, transaction rolled back,
# resources, operator, system, internal.
_OUTAGES = {"08", "40", "53", "57", "58", "XX"}


class StoreUnavailableError(RuntimeError):
    """The database cannot commit now; nothing of the unit was kept. Retrying later may help."""


def driver_url(url: str) -> str:
    """Turn a plain database URL into the one that names the asyncio driver."""
    for plain, driver in (("sqlite://", "sqlite+aiosqlite://"), ("postgresql://", "postgresql+asyncpg://")):
        if url.startswith(plain):
            return driver + url[len(plain) :]
    return url


class Reader:
    """Reads one consistent snapshot, inside one tenant."""

    def __init__(self, connection: Reading, tenant: Tenant) -> None:
        self._connection = connection
        self.tenant = tenant

    async def all(self, statement: Executable) -> list[dict[str, Any]]:
        """Return every row, column name -> value."""
        return await self._run(statement, None, _every_row)

    async def first(self, statement: Executable) -> dict[str, Any] | None:
        """Return the first row, or None."""
        return await self._run(statement, None, _first_row)

    async def scalar(self, statement: Executable) -> Any:
        """Return the first column of the first row, or None."""
        return await self._run(statement, None, _first_value)

    async def ask(self, query: PreparedQuery, **values: Any) -> list[dict[str, Any]]:
        """Return every row of a prepared query."""
        return query.rows(await self._connection.ask(query.sql, query.asked(values)))

    async def _run(self, statement: Executable, rows: Rows | None, fetch: Fetch[T]) -> T:
        if isinstance(statement, ClauseElement):
            guard.check(statement, self.tenant, rows or ())
        return await self._connection.run(statement, rows, fetch)


def _every_row(result: CursorResult[Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in result.mappings()]


def _first_row(result: CursorResult[Any]) -> dict[str, Any] | None:
    row = result.mappings().first()
    return None if row is None else dict(row)


def _first_value(result: CursorResult[Any]) -> Any:
    row = result.first()
    return None if row is None else row[0]


def _touched(result: CursorResult[Any]) -> int:
    return int(result.rowcount)


class Tx(Reader):
    """One unit of work: reads, writes, events for the outbox, topics for the live pages."""

    def __init__(self, connection: Writing, tenant: Tenant) -> None:
        super().__init__(connection, tenant)
        self._writing = connection
        self.events: list[Event] = []
        self.topics: set[str] = set()

    async def execute(self, statement: Executable, rows: Rows | None = None) -> int:
        """Run a write; return how many rows it touched."""
        return await self._run(statement, rows, _touched)

    async def append(self, job: Job) -> None:
        """Write rows of the hot path inside this unit, with the events and topics of the job."""
        await self._writing.add(batch.by_statement(job.rows))
        self.events.extend(job.events)
        self.topics |= job.topics

    def emit(self, happened: Event) -> None:
        """Write an event to the outbox in this same transaction."""
        self.events.append(happened)

    def touch(self, *topics: str) -> None:
        """Tell the live pages after the commit."""
        self.topics.update(topics)


Unit = Callable[[Tx], Awaitable[T]]


@dataclass
class Job:
    """Rows for the hot path, in order, with what must happen in the same commit and after it."""

    rows: list[tuple[Prepared, Row]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    topics: set[str] = field(default_factory=set)

    def add(self, statement: Prepared, **values: Any) -> None:
        """Append one row."""
        self.rows.append((statement, statement.row(**values)))


Settle = Callable[[Any, BaseException | None], None]  # told the result, or the error


@dataclass(eq=False, slots=True)
class _Pending:
    """Work that waits for its commit; exactly one of `unit` and `job` is set."""

    tenant: Tenant
    settle: Settle
    unit: Unit[Any] | None = None
    job: Job | None = None
    events: Sequence[Event] = ()
    topics: set[str] = field(default_factory=set)
    result: Any = None
    error: BaseException | None = None


class Database:
    """The open database; make it with ``async with Database.open(url, clock=clock) as db``."""

    def __init__(self, source: Source, clock: Clock) -> None:
        self._source = source
        self.is_sqlite = source.dialect.name == "sqlite"
        self._clock = clock
        self._waiting: deque[_Pending] = deque()
        self._work_bell = asyncio.Event()
        self._insert_event = self.prepare(insert(outbox_events), "organisation_id", "name", "payload", "at")
        self.changes = Changes()
        self.outbox_bell = asyncio.Event()
        self._closed = False

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, *, clock: Clock) -> AsyncIterator[Database]:
        """Open the database for the length of an `async with` block; the writer task lives inside it."""
        source = _source(url)
        try:
            await source.open()
            db = cls(source, clock)
            # Owned by this block: stopped and awaited below, whatever happens in between.
            task = asyncio.get_running_loop().create_task(db._write_loop(), name="store-writer")
            try:
                yield db
            finally:
                db._closed = True
                db._work_bell.set()
                await task
        finally:
            await source.close()

    # --- what callers use ---------------------------------------------------------------------------

    async def write(self, tenant: Tenant, unit: Unit[T]) -> T:
        """Run `unit` in its own savepoint; return its result after the commit.

        An exception raised by the unit undoes it alone and comes back here. StoreUnavailableError means
        that the commit failed and nothing was kept. A unit awaits nothing but its `Tx`.
        """
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._submit(_Pending(tenant, partial(_settle, done), unit=unit))
        return await done  # the caller may be cancelled: its work is committed or not all the same

    async def append(self, job: Job) -> None:
        """Store the rows of `job` together with those of every other waiting job; return after COMMIT."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.append_soon(job, partial(_settle, done))
        await done

    def append_soon(self, job: Job, settle: Settle) -> None:
        """Like `append`, for callers that need no task: `settle` is called after COMMIT, or with the error.

        Jobs are settled in the order they were given. StoreUnavailableError at once when the database is
        closed.
        """
        self._submit(_Pending(_OF_ROWS, settle, job=job, events=job.events, topics=job.topics))

    @asynccontextmanager
    async def read(self, tenant: Tenant) -> AsyncIterator[Reader]:
        """Read one consistent snapshot."""
        async with self._source.reading() as connection:
            yield Reader(connection, tenant)

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """Return an INSERT in the words of the database, which may say what happens ON CONFLICT."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    def prepare(self, statement: Executable, *names: str) -> Prepared:
        """Compile `statement` once for the hot path; for an insert, `names` are the columns given."""
        compiled = statement.compile(  # type: ignore[attr-defined]
            dialect=self._source.dialect, column_keys=list(names) or None
        )
        sql, order = str(compiled), tuple(compiled.positiontup or ())
        return Prepared(sql, order, batch.several(sql, len(order)) if self.is_sqlite else "")

    def prepare_query(self, statement: Select[Any], *, across: AcrossTenants | None = None) -> PreparedQuery:
        """Compile a SELECT once. Instead of a tenant's id it compares with a parameter.

        Values must be what the driver stores. MissingTenantError unless it names a tenant or goes `across`.
        """
        if across is None:
            guard.check_prepared(statement)
        compiled = statement.compile(dialect=self._source.dialect)
        columns = [(column.name, self._reading_of(column.type)) for column in statement.selected_columns]
        constants = {name: value for name, value in compiled.params.items() if value is not None}
        return PreparedQuery(str(compiled), tuple(compiled.positiontup or ()), tuple(columns), constants)

    def _reading_of(self, kind: TypeEngine[Any]) -> Callable[[Any], Any] | None:
        """Return what turns the driver's value into the model's, if anything must."""
        code = _DOUBLE_PRECISION if isinstance(kind, Float) else None
        dialect = self._source.dialect
        return kind.dialect_impl(dialect).result_processor(dialect, code)

    async def ask(self, query: PreparedQuery, **values: Any) -> list[dict[str, Any]]:
        """Return every row of a prepared query: one visit to the database, for what many ask at once."""
        return query.rows(await self._source.ask(query.sql, query.asked(values)))

    # --- the writer -----------------------------------------------------------------------------------

    def _submit(self, pending: _Pending) -> None:
        if self._closed:
            raise StoreUnavailableError("the database is closed")
        self._waiting.append(pending)
        self._work_bell.set()

    async def _write_loop(self) -> None:
        while await self._has_work():
            group = self._gather()
            try:
                await self._source.write(partial(self._commit, group))
            except Exception as broken:
                self._tell_unavailable(group, broken)
            else:
                self._answer(group)

    async def _has_work(self) -> bool:
        """Wait for work; False when the database is closed and nothing is left to do."""
        while not self._waiting:
            if self._closed:
                return False
            self._work_bell.clear()
            await self._work_bell.wait()
        for _ in range(TURNS_TO_GATHER):
            await asyncio.sleep(0)
        return True

    def _gather(self) -> list[_Pending]:
        return [self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_GROUP))]

    def _tell_unavailable(self, group: list[_Pending], broken: Exception) -> None:
        log.error("store.commit_failed", error=type(broken).__name__, detail=str(broken), units=len(group))
        unavailable = StoreUnavailableError(str(broken))
        for pending in group:
            _tell(pending, None, unavailable)

    def _answer(self, group: list[_Pending]) -> None:
        topics: set[str] = set()
        ring = False
        for pending in group:
            _tell(pending, pending.result, pending.error)
            if pending.error is None:
                topics |= pending.topics
                ring = ring or bool(pending.events)
        if topics:
            self.changes.publish(topics)
        if ring:
            self.outbox_bell.set()

    # --- one group, on the connection that writes -----------------------------------------------------

    async def _commit(self, group: Sequence[_Pending], connection: Writing) -> None:
        """Commit units and jobs so that a faulty one is undone alone."""
        await connection.say(self._source.begin_writing)
        try:
            await self._run_group(connection, group)
            await connection.say("COMMIT")
        except BaseException:
            await _undo(connection)
            raise

    async def _run_group(self, connection: Writing, group: Sequence[_Pending]) -> None:
        jobs = [pending for pending in group if pending.job is not None]
        if jobs:
            await self._run_jobs(connection, jobs)
        for pending in group:
            if pending.unit is not None:
                await self._run_unit(connection, pending, pending.unit)

    async def _run_jobs(self, connection: Writing, jobs: Sequence[_Pending]) -> None:
        try:
            await self._add_rows(connection, jobs)
        except Exception as error:
            if len(jobs) == 1:
                jobs[0].error = _told(error)
                return
        else:
            return
        # One bad row must not take the others with it: undone already, now each job alone.
        for pending in jobs:
            await self._run_jobs(connection, [pending])

    async def _add_rows(self, connection: Writing, jobs: Sequence[_Pending]) -> None:
        await connection.say("SAVEPOINT job")
        try:
            await connection.add(batch.by_statement(self._rows(jobs)))
        except BaseException:
            await connection.say("ROLLBACK TO SAVEPOINT job")
            raise
        finally:
            await connection.say("RELEASE SAVEPOINT job")

    def _rows(self, jobs: Iterable[_Pending]) -> Iterable[tuple[Prepared, Row]]:
        for pending in jobs:
            yield from pending.job.rows if pending.job else ()
            for row in self._event_rows(pending.events):
                yield self._insert_event, row

    async def _run_unit(self, connection: Writing, pending: _Pending, unit: Unit[Any]) -> None:
        await connection.say("SAVEPOINT unit")
        tx = Tx(connection, pending.tenant)
        try:
            pending.result = await connection.finish(unit(tx))
            if tx.events:
                await connection.add({self._insert_event: self._event_rows(tx.events)})
        except (Exception, asyncio.CancelledError) as error:
            if connection.cancelled():
                raise  # the writer itself must end
            await connection.say("ROLLBACK TO SAVEPOINT unit")
            pending.error = _told(error)
        else:
            pending.events, pending.topics = tx.events, tx.topics
        await connection.say("RELEASE SAVEPOINT unit")

    def _event_rows(self, events: Sequence[Event]) -> list[Row]:
        at = to_millis(self._clock.now())
        return [
            self._insert_event.row(
                organisation_id=happened.organisation_id,
                name=happened.name,
                payload=json.dumps(happened.payload()),
                at=at,
            )
            for happened in events
        ]


def _tell(pending: _Pending, result: object, error: BaseException | None) -> None:
    try:
        pending.settle(result, error)
    except Exception as fault:  # the others of the group must be told all the same
        log.error("store.settling_failed", exc_info=fault)


def _settle(done: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
    """Tell the caller, unless it went away meanwhile."""
    if done.done():
        return
    if error is None:
        done.set_result(result)
    else:
        done.set_exception(error)
        done.exception()  # a caller that goes away now leaves nothing to warn about


def _told(error: BaseException) -> BaseException:
    """Return what the caller is told: an outage of the database is not a fault of the statement."""
    original = getattr(error, "orig", None) or error
    code = getattr(original, "sqlstate", None) or ""
    if isinstance(original, sqlite3.OperationalError | OSError) or code[:2] in _OUTAGES:
        return StoreUnavailableError(str(original))
    return error


async def _undo(connection: Writing) -> None:
    try:
        await connection.say("ROLLBACK")
    except Exception as error:
        log.warning("store.rollback_failed", error=type(error).__name__)


def _source(url: str) -> Source:
    location = make_url(driver_url(url))
    sqlite_file = location.get_backend_name() == "sqlite"
    return (SqliteSource if sqlite_file else PostgresSource)(location, readers=READERS)
