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
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Executable, Row, Table, event, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.sql.elements import ClauseElement

from supervision.clock import Clock
from supervision.kernel.events import Event
from supervision.kernel.timespan import to_millis
from supervision.log import Log
from supervision.store import batch, guard
from supervision.store.batch import Prepared
from supervision.store.changes import Changes
from supervision.store.guard import Tenant, across_tenants
from supervision.store.schema import outbox_events

__all__ = ["Database", "Job", "Prepared", "Reader", "StoreUnavailableError", "Tenant", "Tx", "across_tenants"]

log = Log("supervision.store")
T = TypeVar("T")

MAX_GROUP = 500  # units or jobs that share one commit; larger groups only add latency
READERS = 4
# Turns of the event loop before a group is closed: in the first the sockets that can be read are found, in
# the second their messages join. Under load that makes groups large, at rest it costs microseconds.
TURNS_TO_GATHER = 2

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

    def __init__(self, connection: AsyncConnection, tenant: Tenant) -> None:
        self._connection = connection
        self.tenant = tenant

    async def all(self, statement: Executable) -> list[dict[str, Any]]:
        """Return every row, column name -> value."""
        return [dict(row) for row in (await self._run(statement)).mappings()]

    async def first(self, statement: Executable) -> dict[str, Any] | None:
        """Return the first row, or None."""
        row = (await self._run(statement)).mappings().first()
        return None if row is None else dict(row)

    async def scalar(self, statement: Executable) -> Any:
        """Return the first column of the first row, or None."""
        row: Row[Any] | None = (await self._run(statement)).first()
        return None if row is None else row[0]

    async def _run(self, statement: Executable, rows: Sequence[Mapping[str, Any]] | None = None) -> Any:
        if isinstance(statement, ClauseElement):
            guard.check(statement, self.tenant, rows or ())
        return await self._connection.execute(statement, rows)


class Tx(Reader):
    """One unit of work: reads, writes, events for the outbox, topics for the live pages."""

    def __init__(self, connection: AsyncConnection, tenant: Tenant) -> None:
        super().__init__(connection, tenant)
        self.events: list[Event] = []
        self.topics: set[str] = set()

    async def execute(self, statement: Executable, rows: Sequence[Mapping[str, Any]] | None = None) -> int:
        """Run a write; return how many rows it touched."""
        return int((await self._run(statement, rows)).rowcount)

    async def append(self, job: Job) -> None:
        """Write rows of the hot path inside this unit, with the events and topics of the job."""
        driver = await _driver(self._connection)
        for statement, row in job.rows:
            await driver.executemany(statement.sql, [row])  # the one call both drivers spell alike
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

    rows: list[tuple[Prepared, tuple[Any, ...]]] = field(default_factory=list)
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

    def __init__(self, writer: AsyncEngine, readers: AsyncEngine, clock: Clock) -> None:
        self.is_sqlite = writer.dialect.name == "sqlite"
        self._write_engine = writer
        self._read_engine = readers
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
        writer = _engine(url, pool_size=1, read_only=False)
        readers = _engine(url, pool_size=READERS, read_only=True)
        db = cls(writer, readers, clock)
        # Owned by this block: stopped and awaited below, whatever happens in between.
        task = asyncio.get_running_loop().create_task(db._write_loop(), name="store-writer")
        try:
            yield db
        finally:
            db._closed = True
            db._work_bell.set()
            await task
            await readers.dispose()
            await writer.dispose()

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
        begin = "BEGIN" if self.is_sqlite else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        async with _connected(self._read_engine) as (connection, driver):
            await driver.execute(begin)
            try:
                yield Reader(connection, tenant)
            finally:
                if not connection.invalidated:  # a cancelled reader's connection is closed already
                    await _quietly(driver, "ROLLBACK")

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """Return an INSERT in the words of the database, which may say what happens ON CONFLICT."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    def prepare(self, statement: Executable, *names: str) -> Prepared:
        """Compile `statement` once for the hot path; for an insert, `names` are the columns given."""
        compiled = statement.compile(  # type: ignore[attr-defined]
            dialect=self._write_engine.dialect, column_keys=list(names) or None
        )
        sql, order = str(compiled), tuple(compiled.positiontup or ())
        return Prepared(sql, order, batch.several(sql, len(order)) if self.is_sqlite else "")

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
                async with _connected(self._write_engine) as (connection, driver):
                    while group:
                        await self._commit_group(connection, driver, group)
                        self._answer(group)
                        # Taking a connection costs as much as several messages. One to SQLite is a file and
                        # can be kept; one to a server may break while it is idle and is tried each time.
                        group = self._gather() if self.is_sqlite and await self._has_work() else []
            except Exception as broken:
                self._tell_unavailable(group, broken)

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

    async def _commit_group(self, connection: AsyncConnection, driver: Any, group: list[_Pending]) -> None:
        if not (self.is_sqlite and await self._commit_jobs(driver, group)):
            await self._commit_carefully(connection, driver, group)

    def _tell_unavailable(self, group: list[_Pending], broken: Exception) -> None:
        log.error("store.commit_failed", error=type(broken).__name__, detail=str(broken), units=len(group))
        unavailable = StoreUnavailableError(str(broken))
        for pending in group:
            _tell(pending, None, unavailable)

    async def _commit_jobs(self, driver: Any, group: list[_Pending]) -> bool:
        """Commit a group of nothing but jobs at one go; False when that is undone or not tried."""
        if any(pending.job is None for pending in group):
            return False
        try:
            await batch.in_driver_thread(driver, partial(batch.commit_rows, batches=self._batches(group)))
        except Exception:  # also what the driver raises for a value before SQLite sees it
            return False  # the careful way finds which job is to blame, or that it was none
        return True

    async def _commit_carefully(
        self, connection: AsyncConnection, driver: Any, group: list[_Pending]
    ) -> None:
        """Commit units and jobs so that a faulty one is undone alone."""
        await driver.execute("BEGIN IMMEDIATE" if self.is_sqlite else "BEGIN")
        try:
            await self._run_group(connection, driver, group)
            await driver.execute("COMMIT")
        except BaseException:
            await _quietly(driver, "ROLLBACK")
            raise

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

    async def _run_group(self, connection: AsyncConnection, driver: Any, group: list[_Pending]) -> None:
        jobs = [pending for pending in group if pending.job is not None]
        if jobs:
            await self._run_jobs(driver, jobs)
        for pending in group:
            if pending.unit is not None:
                await self._run_unit(connection, driver, pending, pending.unit)

    async def _run_jobs(self, driver: Any, jobs: list[_Pending]) -> None:
        try:
            await self._insert_rows(driver, jobs)
        except Exception as error:
            if len(jobs) == 1:
                jobs[0].error = _told(error)
                return
        else:
            return
        # One bad row must not take the others with it: undone already, now each job alone.
        for pending in jobs:
            await self._run_jobs(driver, [pending])

    async def _insert_rows(self, driver: Any, jobs: list[_Pending]) -> None:
        batches = self._batches(jobs)
        await driver.execute("SAVEPOINT job")
        try:
            if self.is_sqlite:
                await batch.in_driver_thread(driver, partial(batch.write_rows, batches=batches))
            else:
                for statement, rows in batches.items():
                    await driver.executemany(statement.sql, rows)
        except BaseException:
            await driver.execute("ROLLBACK TO SAVEPOINT job")
            raise
        finally:
            await driver.execute("RELEASE SAVEPOINT job")

    def _batches(self, jobs: list[_Pending]) -> batch.Batches:
        """Rows by statement, in order; the events of the jobs among them."""
        batches: batch.Batches = {}
        for pending in jobs:
            for statement, row in pending.job.rows if pending.job else ():
                if statement in batches:
                    batches[statement].append(row)
                else:
                    batches[statement] = [row]
            if pending.events:
                batches.setdefault(self._insert_event, []).extend(self._event_rows(pending.events))
        return batches

    async def _run_unit(
        self, connection: AsyncConnection, driver: Any, pending: _Pending, unit: Unit[Any]
    ) -> None:
        await driver.execute("SAVEPOINT unit")
        tx = Tx(connection, pending.tenant)
        try:
            pending.result = await unit(tx)
            if tx.events:
                await driver.executemany(self._insert_event.sql, self._event_rows(tx.events))
        except (Exception, asyncio.CancelledError) as error:
            if _is_cancelled():
                raise  # the writer itself must end
            await driver.execute("ROLLBACK TO SAVEPOINT unit")
            pending.error = _told(error)
        else:
            pending.events, pending.topics = tx.events, tx.topics
        await driver.execute("RELEASE SAVEPOINT unit")

    def _event_rows(self, events: Sequence[Event]) -> list[tuple[Any, ...]]:
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


@asynccontextmanager
async def _connected(engine: AsyncEngine) -> AsyncIterator[tuple[AsyncConnection, Any]]:
    """Yield a connection and its driver's own, on which we alone begin and end transactions."""
    async with engine.connect() as connection:
        # SQLAlchemy rolls back after an error unless it believes to be in a transaction; in autocommit
        # this begin reaches no database, but it keeps the other units of a group alive.
        await connection.begin()
        yield connection, await _driver(connection)


async def _driver(connection: AsyncConnection) -> Any:
    raw = await connection.get_raw_connection()
    return raw.driver_connection


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _told(error: BaseException) -> BaseException:
    """Return what the caller is told: an outage of the database is not a fault of the statement."""
    original = getattr(error, "orig", None) or error
    code = getattr(original, "sqlstate", None) or ""
    if isinstance(original, sqlite3.OperationalError | OSError) or code[:2] in _OUTAGES:
        return StoreUnavailableError(str(original))
    return error


async def _quietly(driver: Any, sql: str) -> None:
    try:
        await driver.execute(sql)
    except Exception as error:
        log.warning("store.rollback_failed", error=type(error).__name__)


def _engine(url: str, *, pool_size: int, read_only: bool) -> AsyncEngine:
    """Make an engine whose transactions are ours alone: the driver is in autocommit."""
    location = make_url(driver_url(url))
    engine = create_async_engine(
        location,
        isolation_level="AUTOCOMMIT",
        pool_size=pool_size,
        max_overflow=0,
        pool_reset_on_return=None,
        **({} if location.get_backend_name() == "sqlite" else {"pool_pre_ping": True}),
    )
    if location.get_backend_name() == "sqlite":
        event.listen(engine.sync_engine, "connect", _sqlite_pragmas(read_only=read_only))
    return engine


def _sqlite_pragmas(*, read_only: bool) -> Callable[[Any, object], None]:
    def on_connect(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        pragmas = ["foreign_keys=ON", "busy_timeout=5000"]
        if read_only:
            # Only the writer checkpoints: two that do can corrupt a WAL before SQLite 3.51.3.
            pragmas += ["query_only=ON", "wal_autocheckpoint=0"]
        else:
            pragmas += ["journal_mode=WAL", "synchronous=FULL", "temp_store=MEMORY"]
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return on_connect
