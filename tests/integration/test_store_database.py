"""The store's contract, held by SQLite and PostgreSQL alike."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import bindparam, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from supervision.clock import FixedClock
from supervision.kernel.events import BookingMade
from supervision.kernel.timespan import to_millis
from supervision.store.db import READERS, Database, Job, StoreUnavailableError, Tx, across_tenants
from supervision.store.guard import MissingTenantError
from supervision.store.schema import (
    bookings,
    communities,
    evses,
    frames,
    organisations,
    outbox_events,
    vehicles,
)
from tests import factories
from tests.factories import NOW, TESTS

EVERYONE = across_tenants("tests look at everything")
MADE = BookingMade(organisation_id="org", booking_id="b1", vehicle_id="car-1", station_id="st")


def add(name: str) -> Callable[[Tx], Awaitable[str]]:
    """Return a unit that inserts one organisation."""
    return lambda tx: factories.organisation(tx, id=name, name=name)


def add_then_fail(name: str, error: BaseException) -> Callable[[Tx], Awaitable[str]]:
    """Return a unit that writes, emits, and then raises."""

    async def unit(tx: Tx) -> str:
        await factories.organisation(tx, id=name, name=name)
        tx.emit(MADE)
        tx.touch("station:st")
        raise error

    return unit


async def organisations_in(db: Database) -> list[str]:
    """Read the ids of all organisations."""
    async with db.read(EVERYONE) as reader:
        return [row["id"] for row in await reader.all(select(organisations.c.id).order_by("id"))]


async def count_of(db: Database, table: Any) -> int:
    """Count the rows of a table."""
    async with db.read(EVERYONE) as reader:
        return int(await reader.scalar(select(func.count()).select_from(table)))


# --- units ------------------------------------------------------------------------------------------


async def test_unit_returns_its_result_after_the_commit(db: Database) -> None:
    assert await db.write(TESTS, add("org")) == "org"
    assert await organisations_in(db) == ["org"]


async def test_values_written_come_back_as_they_were(db: Database) -> None:
    await factories.write_service(db)
    at = datetime(2026, 10, 25, 0, 59, 59, 999000, tzinfo=UTC)
    await db.write(
        "org", lambda tx: factories.booking(tx, start_at=at, return_evidence={"clé": ["rendue", None, 1.5]})
    )
    async with db.read("org") as reader:
        row = await reader.first(select(bookings).where(bookings.c.organisation_id == "org"))
    assert row is not None
    assert (row["start_at"], row["end_at"]) == (at, at + timedelta(hours=2))
    assert row["return_evidence"] == {"clé": ["rendue", None, 1.5]}
    assert row["fault_waived"] is False
    assert row["returned_at"] is None


async def test_naive_instant_is_refused(db: Database) -> None:
    with pytest.raises(Exception, match="naive"):
        await db.write(TESTS, lambda tx: factories.organisation(tx, created_at=datetime(2026, 1, 1)))  # noqa: DTZ001
    assert await organisations_in(db) == []


async def test_failing_unit_is_undone_alone(db: Database) -> None:
    results = await asyncio.gather(
        db.write(TESTS, add("a")),
        db.write(TESTS, add_then_fail("b", KeyError("mine"))),
        db.write(TESTS, add("c")),
        return_exceptions=True,
    )
    assert results[0] == "a"
    assert isinstance(results[1], KeyError)
    assert results[2] == "c"
    assert await organisations_in(db) == ["a", "c"]
    assert await count_of(db, outbox_events) == 0


async def test_unit_that_breaks_a_constraint_is_undone_alone(db: Database) -> None:
    results = await asyncio.gather(
        *(db.write(TESTS, add(name)) for name in ("a", "a", "b")), return_exceptions=True
    )
    assert results[0] == "a"
    assert isinstance(results[1], IntegrityError)
    assert results[2] == "b"


async def test_broken_reference_is_refused(db: Database) -> None:
    with pytest.raises(IntegrityError):
        await db.write(TESTS, lambda tx: factories.community(tx, organisation_id="nowhere"))


async def test_unit_that_cancels_itself_leaves_the_writer_alive(db: Database) -> None:
    with pytest.raises(asyncio.CancelledError):
        await db.write(TESTS, add_then_fail("a", asyncio.CancelledError()))
    await db.write(TESTS, add("b"))
    assert await organisations_in(db) == ["b"]


async def test_unit_that_waits_for_something_else_is_undone_alone(sqlite_db: Database) -> None:
    async def dawdle(tx: Tx) -> None:
        await factories.organisation(tx, id="a", name="a")
        await asyncio.sleep(0)

    results = await asyncio.gather(
        sqlite_db.write(TESTS, dawdle), sqlite_db.write(TESTS, add("b")), return_exceptions=True
    )
    assert str(results[0]) == "a unit of work awaits nothing but its Tx"
    assert results[1] == "b"
    assert await organisations_in(sqlite_db) == ["b"]


async def test_cancelled_reader_leaves_its_connection_fit_for_the_next(db: Database) -> None:
    await db.write(TESTS, add("a"))

    async def read() -> None:
        async with db.read(EVERYONE) as reader:
            while True:
                await reader.all(select(organisations.c.id))

    async with asyncio.TaskGroup() as group:
        for _ in range(2 * READERS):
            reading = group.create_task(read())
            await db.write(TESTS, lambda tx: tx.all(select(organisations.c.id)))
            reading.cancel()
    await db.write(TESTS, add("b"))
    async with asyncio.TaskGroup() as group:
        seen = [group.create_task(organisations_in(db)) for _ in range(READERS)]
    assert [each.result() for each in seen] == [["a", "b"]] * READERS


async def test_cancelled_caller_neither_stops_its_unit_nor_the_next(db: Database) -> None:
    async with asyncio.TaskGroup() as group:
        caller = group.create_task(db.write(TESTS, add("a")))
        await asyncio.sleep(0)
        caller.cancel()
        await db.write(TESTS, add("b"))
    assert caller.cancelled()
    assert await organisations_in(db) == ["a", "b"]


async def test_units_run_in_the_order_they_were_given(db: Database) -> None:
    seen: list[int] = []

    def unit(number: int) -> Callable[[Tx], Awaitable[None]]:
        async def run(tx: Tx) -> None:
            await tx.scalar(select(func.count()).select_from(organisations))
            seen.append(number)

        return run

    await asyncio.gather(*(db.write(TESTS, unit(number)) for number in range(600)))
    assert seen == list(range(600))


async def test_later_unit_of_a_group_sees_the_earlier(db: Database) -> None:
    _, names = await asyncio.gather(
        db.write(TESTS, add("a")), db.write(TESTS, lambda tx: tx.all(select(organisations.c.id)))
    )
    assert names == [{"id": "a"}]


async def test_execute_tells_how_many_rows_it_touched(db: Database) -> None:
    await asyncio.gather(*(db.write(TESTS, add(name)) for name in "abc"))
    changed = await db.write(
        TESTS, lambda tx: tx.execute(update(organisations).where(organisations.c.id > "a").values(name="x"))
    )
    assert changed == 2


async def test_several_rows_are_inserted_at_once(db: Database) -> None:
    rows = [{"id": name, "name": name, "created_at": NOW} for name in "abc"]
    await db.write(TESTS, lambda tx: tx.execute(insert(organisations), rows))
    assert await organisations_in(db) == ["a", "b", "c"]


async def test_topics_are_told_after_the_commit_only(db: Database) -> None:
    async def touching(tx: Tx) -> None:
        tx.touch("station:st")
        await tx.execute(insert(organisations).values(id="a", name="a", created_at=NOW))

    with db.changes.subscribe() as subscription:
        with pytest.raises(KeyError):
            await db.write(TESTS, add_then_fail("x", KeyError()))
        await db.write(TESTS, touching)
        assert await subscription.take() == {"station:st"}
    assert await organisations_in(db) == ["a"]


async def test_emitted_event_is_kept_with_its_unit(db: Database, clock: FixedClock) -> None:
    await db.write(TESTS, add("org"))
    clock.advance(minutes=5)

    async def unit(tx: Tx) -> None:
        tx.emit(MADE)

    await db.write("org", unit)
    async with db.read(EVERYONE) as reader:
        row = await reader.first(select(outbox_events))
    assert row is not None
    assert (row["organisation_id"], row["name"], row["payload"]) == ("org", "BookingMade", MADE.payload())
    assert (row["at"], row["spread_at"]) == (NOW + timedelta(minutes=5), None)
    assert db.outbox_bell.is_set()


# --- commits that fail --------------------------------------------------------------------------------

# A deferred reference is looked at by COMMIT: the one way to break it that both databases share.
DEFERRED = (
    "CREATE TABLE parents (id INTEGER PRIMARY KEY)",
    "CREATE TABLE children (parent INTEGER REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)",
)


async def orphan(tx: Tx) -> None:
    """Write what makes the commit fail."""
    await tx.execute(text("INSERT INTO children VALUES (1)"))


async def with_deferred_tables(tx: Tx) -> None:
    """Make the two tables."""
    for statement in DEFERRED:
        await tx.execute(text(statement))


async def test_failed_commit_keeps_nothing_of_its_group(db: Database) -> None:
    await db.write(TESTS, with_deferred_tables)
    with db.changes.subscribe() as subscription:
        results = await asyncio.gather(
            db.write(TESTS, add("a")), db.write(TESTS, orphan), db.write(TESTS, add("b")),
            return_exceptions=True,
        )  # fmt: skip
        assert [type(result) for result in results] == [StoreUnavailableError] * 3
        assert await organisations_in(db) == []
        await db.write(TESTS, add("c"))
        assert subscription._topics == set()
    assert await organisations_in(db) == ["c"]


async def test_failed_commit_fails_appended_rows_too(db: Database) -> None:
    await db.write(TESTS, add("org"))
    await db.write(TESTS, with_deferred_tables)
    job = Job()
    add_frame(db, job, "one")
    results = await asyncio.gather(db.append(job), db.write(TESTS, orphan), return_exceptions=True)
    assert [type(result) for result in results] == [StoreUnavailableError] * 2
    assert await count_of(db, frames) == 0


async def test_statement_the_database_cannot_serve_is_told_as_unavailable(db: Database) -> None:
    async def unit(tx: Tx) -> None:
        await tx.execute(text("INSERT INTO gone VALUES (1)"))

    results = await asyncio.gather(db.write(TESTS, unit), db.write(TESTS, add("a")), return_exceptions=True)
    assert isinstance(results[0], StoreUnavailableError | DBAPIError)
    assert results[1] == "a"


# --- the hot path -------------------------------------------------------------------------------------

COLUMNS = ("organisation_id", "charging_station", "at", "direction", "frame")


def add_frame(db: Database, job: Job, frame: str, organisation: str = "org") -> None:
    """Append one frame to a job, in the driver's own values."""
    job.add(
        db.prepare(insert(frames), *COLUMNS),
        organisation_id=organisation,
        charging_station="CP16",
        at=to_millis(NOW),
        direction="in",
        frame=frame,
    )


async def frames_in(db: Database) -> list[str]:
    """Read the stored frames in order."""
    async with db.read(EVERYONE) as reader:
        return [row["frame"] for row in await reader.all(select(frames.c.frame).order_by(frames.c.id))]


async def test_appended_rows_are_stored_in_order(db: Database) -> None:
    await db.write(TESTS, add("org"))
    jobs = [Job() for _ in range(600)]
    for number, job in enumerate(jobs):
        add_frame(db, job, f"{number} a")
        add_frame(db, job, f"{number} b")
    await asyncio.gather(*(db.append(job) for job in jobs))
    assert await frames_in(db) == [f"{number} {part}" for number in range(600) for part in "ab"]


async def test_appended_instants_read_as_instants(db: Database) -> None:
    await db.write(TESTS, add("org"))
    job = Job()
    add_frame(db, job, "one")
    await db.append(job)
    async with db.read("org") as reader:
        at = await reader.scalar(select(frames.c.at).where(frames.c.organisation_id == "org"))
    assert at == NOW


async def test_bad_job_is_undone_alone(db: Database) -> None:
    await db.write(TESTS, add("org"))
    jobs = [Job() for _ in range(3)]
    add_frame(db, jobs[0], "first")
    add_frame(db, jobs[1], "kept from being kept")
    add_frame(db, jobs[1], "no such tenant", organisation="nowhere")
    add_frame(db, jobs[2], "third")
    results = await asyncio.gather(*(db.append(job) for job in jobs), return_exceptions=True)
    assert [result is None for result in results] == [True, False, True]
    assert await frames_in(db) == ["first", "third"]


@pytest.mark.parametrize("frame", ["\ud800", 2**70])
async def test_a_value_no_driver_takes_is_the_fault_of_its_job_alone(db: Database, frame: Any) -> None:
    await db.write(TESTS, add("org"))
    jobs = [Job() for _ in range(3)]
    for job, value in zip(jobs, ["first", frame, "third"], strict=True):
        add_frame(db, job, value)
    results = await asyncio.gather(*(db.append(job) for job in jobs), return_exceptions=True)
    assert [result is None for result in results] == [True, False, True]
    assert not isinstance(results[1], StoreUnavailableError)
    assert await frames_in(db) == ["first", "third"]


async def test_lone_bad_job_leaves_the_units_beside_it(db: Database) -> None:
    await db.write(TESTS, add("org"))
    job = Job()
    add_frame(db, job, "no such tenant", organisation="nowhere")
    results = await asyncio.gather(db.append(job), db.write(TESTS, add("a")), return_exceptions=True)
    assert isinstance(results[0], Exception)
    assert not isinstance(results[0], StoreUnavailableError)
    assert results[1] == "a"


async def test_events_and_topics_of_a_job_leave_with_its_rows(db: Database) -> None:
    await db.write(TESTS, add("org"))
    job = Job(events=[MADE], topics={"charging_station:CP16"})
    add_frame(db, job, "one")
    with db.changes.subscribe() as subscription:
        await db.append(job)
        assert await subscription.take() == {"charging_station:CP16"}
    assert await count_of(db, outbox_events) == 1


def test_prepared_row_without_a_value_is_refused(sqlite_db: Database) -> None:
    with pytest.raises(KeyError):
        sqlite_db.prepare(insert(frames), *COLUMNS).row(frame="[]")


# --- readers ------------------------------------------------------------------------------------------


async def test_reader_sees_one_snapshot(db: Database) -> None:
    await db.write(TESTS, add("a"))
    counting = select(func.count()).select_from(organisations)
    async with db.read(EVERYONE) as reader:
        before = await reader.scalar(counting)
        await db.write(TESTS, add("b"))
        during = await reader.scalar(counting)
    async with db.read(EVERYONE) as reader:
        after = await reader.scalar(counting)
    assert (before, during, after) == (1, 1, 2)


async def test_reader_cannot_write(db: Database) -> None:
    with pytest.raises(DBAPIError):
        async with db.read(EVERYONE) as reader:
            await reader.all(
                insert(organisations).values(id="a", name="a", created_at=NOW).returning(organisations.c.id)
            )
    assert await organisations_in(db) == []


async def test_reader_that_fails_gives_its_connection_back(db: Database) -> None:
    for _ in range(20):  # more than there are connections
        with pytest.raises(DBAPIError):
            async with db.read(EVERYONE) as reader:
                await reader.all(text("SELECT * FROM nowhere"))
    assert await organisations_in(db) == []


async def test_many_readers_take_turns(db: Database) -> None:
    await asyncio.gather(*(organisations_in(db) for _ in range(50)))


async def test_empty_answers_are_none(db: Database) -> None:
    async with db.read(EVERYONE) as reader:
        assert await reader.first(select(organisations)) is None
        assert await reader.scalar(select(organisations.c.id)) is None
        assert await reader.all(select(organisations)) == []


# --- tenants ------------------------------------------------------------------------------------------


async def two_tenants(tx: Tx) -> None:
    """Write the same thing for two organisations."""
    for name in ("org", "other"):
        await factories.organisation(tx, id=name)
        await factories.community(tx, id=f"com-{name}", organisation_id=name)


async def test_reader_without_tenant_condition_is_refused(db: Database) -> None:
    await db.write(TESTS, two_tenants)
    async with db.read("org") as reader:
        with pytest.raises(MissingTenantError):
            await reader.all(select(communities))
        mine = select(communities.c.id).where(communities.c.organisation_id == "org")
        assert await reader.all(mine) == [{"id": "com-org"}]


async def test_unit_that_leaves_its_tenant_changes_nothing(db: Database) -> None:
    await db.write(TESTS, two_tenants)

    async def unit(tx: Tx) -> None:
        mine = communities.c.organisation_id == "org"
        await tx.execute(update(communities).where(mine).values(name="changed"))
        await tx.execute(update(communities).values(name="changed"))

    with pytest.raises(MissingTenantError):
        await db.write("org", unit)
    async with db.read(EVERYONE) as reader:
        names = {row["name"] for row in await reader.all(select(communities.c.name))}
    assert names == {"Com"}


async def test_rows_for_another_tenant_are_not_inserted(db: Database) -> None:
    await db.write(TESTS, two_tenants)
    with pytest.raises(MissingTenantError):
        await db.write("org", lambda tx: factories.community(tx, id="x", organisation_id="other"))


# --- life ---------------------------------------------------------------------------------------------


async def test_closing_waits_for_what_was_given(database_url: str, clock: FixedClock) -> None:
    async with Database.open(database_url, clock=clock) as db, asyncio.TaskGroup() as group:
        for number in range(50):
            group.create_task(db.write(TESTS, add(f"org-{number:02}")))
    async with Database.open(database_url, clock=clock) as db:
        assert len(await organisations_in(db)) == 50


async def write_then_fail(url: str, clock: FixedClock) -> None:
    """Open, write, and leave by an error."""
    async with Database.open(url, clock=clock) as db:
        await db.write(TESTS, add("a"))
        raise KeyError


async def test_no_thread_outlives_the_database_whose_readers_were_cancelled(
    sqlite_url: str, clock: FixedClock
) -> None:
    before = set(threading.enumerate())
    async with Database.open(sqlite_url, clock=clock) as db, asyncio.TaskGroup() as group:
        for turns in range(2 * READERS):
            reading = group.create_task(organisations_in(db))
            for _ in range(turns):
                await asyncio.sleep(0)
            reading.cancel()
            await asyncio.wait([reading])
        assert await organisations_in(db) == []
    # aiosqlite's thread tells that it has closed its file just before it ends.
    for thread in set(threading.enumerate()) - before:
        await asyncio.to_thread(thread.join)


async def test_error_inside_the_block_closes_the_database(database_url: str, clock: FixedClock) -> None:
    with pytest.raises(KeyError):
        await write_then_fail(database_url, clock)
    async with Database.open(database_url, clock=clock) as db:
        assert await organisations_in(db) == ["a"]


async def test_service_of_the_factories_is_whole(db: Database) -> None:
    await factories.write_service(db)
    async with db.read("org") as reader:
        row = await reader.first(select(vehicles).where(vehicles.c.organisation_id == "org"))
    assert row is not None
    assert (row["id"], row["charging_station"], row["evse_id"]) == ("car-1", "CP16", 1)


# --- prepared queries ---------------------------------------------------------------------------------


def vehicles_query() -> Any:
    """The cars of a tenant that is not known yet."""
    wanted = (vehicles.c.id, communities.c.name, evses.c.max_a, evses.c.phases, bookings.c.start_at)
    joined = communities.c.organisation_id == vehicles.c.organisation_id
    booked = (bookings.c.organisation_id == vehicles.c.organisation_id) & (
        bookings.c.vehicle_id == vehicles.c.id
    )
    tenant = vehicles.c.organisation_id == bindparam("b_organisation")
    plugged = (evses.c.organisation_id == vehicles.c.organisation_id) & (
        evses.c.charging_station == vehicles.c.charging_station
    )
    found = select(*wanted).join(communities, joined).join(bookings, booked).join(evses, plugged)
    return found.where(tenant).limit(1)


async def test_prepared_query_reads_values_as_models_take_them(db: Database) -> None:
    await factories.write_service(db)
    await db.write("org", lambda tx: factories.booking(tx, start_at=NOW))
    query = db.prepare_query(vehicles_query())
    found = [{"id": "car-1", "name": "Com", "max_a": 32.0, "phases": [1, 2, 3], "start_at": NOW}]
    assert await db.ask(query, b_organisation="org") == found
    assert await db.ask(query, b_organisation="other") == []
    async with db.read("org") as reader:
        assert await reader.ask(query, b_organisation="org") == found


async def test_prepared_query_of_a_unit_sees_what_the_unit_wrote(db: Database) -> None:
    await factories.write_service(db)
    query = db.prepare_query(vehicles_query())

    async def unit(tx: Tx) -> list[dict[str, Any]]:
        await factories.booking(tx, start_at=NOW)
        return await tx.ask(query, b_organisation="org")

    assert [row["start_at"] for row in await db.write("org", unit)] == [NOW]


async def test_query_is_not_prepared_without_a_tenant(db: Database) -> None:
    with pytest.raises(MissingTenantError):
        db.prepare_query(select(vehicles.c.id).where(vehicles.c.id == bindparam("b_id")))
    with pytest.raises(MissingTenantError):
        db.prepare_query(select(vehicles.c.id).where(vehicles.c.organisation_id == "org"))
    query = db.prepare_query(select(vehicles.c.id).where(vehicles.c.id == bindparam("b_id")), across=EVERYONE)
    assert await db.ask(query, b_id="car-1") == []


async def test_prepared_query_without_a_value_is_refused(sqlite_db: Database) -> None:
    with pytest.raises(KeyError):
        await sqlite_db.ask(sqlite_db.prepare_query(vehicles_query()))
