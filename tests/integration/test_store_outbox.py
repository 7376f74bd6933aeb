"""The outbox's contract: at least once, in order, one consumer never holding up another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from supervision.clock import FixedClock
from supervision.kernel.events import BookingCancelled, BookingMade, Event
from supervision.store.db import Database, Tx
from supervision.store.outbox import (
    LONGEST_PAUSE,
    MAX_ATTEMPTS,
    Consumer,
    Delivery,
    Outbox,
    UndeliverableError,
    pause_after,
)
from supervision.store.schema import outbox_deliveries, outbox_events
from tests import factories
from tests.factories import NOW, TESTS


def made(number: int) -> BookingMade:
    """Return an event that can be told from others."""
    return BookingMade(organisation_id="org", booking_id=f"b{number}", vehicle_id="car-1", station_id="st")


def cancelled(number: int) -> BookingCancelled:
    """Return an event of another kind."""
    return BookingCancelled(
        organisation_id="org", booking_id=f"b{number}", vehicle_id="car-1", station_id="st", by="driver"
    )


class Recorder:
    """A consumer that notes what it sees and fails as told."""

    def __init__(self, name: str = "recorder", *events: type[Event]) -> None:
        self.seen: list[Event] = []
        self.deliveries: list[Delivery] = []
        self.fail: Callable[[Delivery], BaseException | None] = lambda _: None
        self.consumer = Consumer(name, events or (BookingMade, BookingCancelled), self.handle)

    async def handle(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)
        error = self.fail(delivery)
        if error is not None:
            raise error
        self.seen.append(delivery.event)


async def emit(db: Database, *events: Event) -> None:
    """Emit events in one unit."""

    async def unit(tx: Tx) -> None:
        for event in events:
            tx.emit(event)

    await db.write("org", unit)


async def states(db: Database) -> list[tuple[str, str, int]]:
    """Return (consumer, state, attempts) of every delivery."""
    async with db.read(TESTS) as reader:
        rows = await reader.all(select(outbox_deliveries).order_by(outbox_deliveries.c.id))
    return [(row["consumer"], row["state"], row["attempts"]) for row in rows]


@pytest.fixture
async def db(db: Database) -> Database:
    """Return the database with the tenant in it."""
    await db.write(TESTS, factories.organisation)
    return db


def outbox(db: Database, clock: FixedClock, *recorders: Recorder) -> Outbox:
    """Return an outbox with the recorders as consumers."""
    return Outbox(db, clock, [recorder.consumer for recorder in recorders])


async def test_event_is_delivered_as_it_was_emitted(db: Database, clock: FixedClock) -> None:
    recorder = Recorder()
    await emit(db, cancelled(1))
    assert await outbox(db, clock, recorder).drain() == 1
    assert recorder.seen == [cancelled(1)]
    assert [(d.at, d.attempt) for d in recorder.deliveries] == [(NOW, 1)]


async def test_event_delivered_is_not_delivered_again(db: Database, clock: FixedClock) -> None:
    recorder = Recorder()
    box = outbox(db, clock, recorder)
    await emit(db, made(1))
    await box.drain()
    clock.advance(days=1)
    assert await box.drain() == 0
    assert recorder.seen == [made(1)]


async def test_events_are_delivered_in_the_order_of_their_commits(db: Database, clock: FixedClock) -> None:
    recorder = Recorder()
    for first in range(0, 450, 10):  # more than one batch
        await emit(db, *(made(number) for number in range(first, first + 10)))
    assert await outbox(db, clock, recorder).drain() == 450
    assert recorder.seen == [made(number) for number in range(450)]


async def test_consumer_gets_only_what_it_wants(db: Database, clock: FixedClock) -> None:
    first, second = Recorder("first", BookingMade), Recorder("second", BookingCancelled)
    await emit(db, made(1), cancelled(1))
    await outbox(db, clock, first, second).drain()
    assert (first.seen, second.seen) == ([made(1)], [cancelled(1)])


async def test_event_nobody_wants_is_done_with(db: Database, clock: FixedClock) -> None:
    recorder = Recorder("first", BookingCancelled)
    await emit(db, made(1))
    box = outbox(db, clock, recorder)
    assert await box.drain() == 0
    assert await box.spread() == 0
    assert await states(db) == []


async def test_failed_delivery_is_tried_again_after_growing_pauses(db: Database, clock: FixedClock) -> None:
    recorder = Recorder()
    recorder.fail = lambda delivery: ConnectionError("down") if delivery.attempt < 4 else None
    box = outbox(db, clock, recorder)
    await emit(db, made(1))
    tried_at: list[int] = []
    for second in range(20):
        before = len(recorder.deliveries)
        await box.drain()
        tried_at += [second] * (len(recorder.deliveries) - before)
        clock.advance(seconds=1)
    assert tried_at == [0, 2, 6, 14]
    assert recorder.seen == [made(1)]
    assert await states(db) == [("recorder", "done", 4)]


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 2), (2, 4), (3, 8), (11, 2048), (12, 3600)])
def test_pause_doubles_up_to_an_hour(attempt: int, seconds: int) -> None:
    assert pause_after(attempt) == timedelta(seconds=seconds)


async def test_delivery_that_never_succeeds_becomes_a_dead_letter(db: Database, clock: FixedClock) -> None:
    recorder = Recorder()
    recorder.fail = lambda _: ConnectionError("the mail server says no")
    box = outbox(db, clock, recorder)
    await emit(db, made(1))
    for _ in range(MAX_ATTEMPTS + 5):
        await box.drain()
        clock.advance(seconds=LONGEST_PAUSE.total_seconds())
    assert len(recorder.deliveries) == MAX_ATTEMPTS
    assert len({delivery.id for delivery in recorder.deliveries}) == 1
    assert await states(db) == [("recorder", "dead", MAX_ATTEMPTS)]
    async with db.read(TESTS) as reader:
        error = await reader.scalar(select(outbox_deliveries.c.error))
    assert error == "ConnectionError: the mail server says no"


async def test_undeliverable_event_is_dead_at_once(db: Database, clock: FixedClock) -> None:
    recorder = Recorder()
    recorder.fail = lambda _: UndeliverableError("no address")
    await emit(db, made(1))
    await outbox(db, clock, recorder).drain()
    assert await states(db) == [("recorder", "dead", 1)]


async def test_failed_delivery_lets_later_ones_pass(db: Database, clock: FixedClock) -> None:
    recorder = Recorder()
    recorder.fail = lambda d: KeyError() if d.event == made(1) and d.attempt == 1 else None
    box = outbox(db, clock, recorder)
    await emit(db, made(1), made(2))
    await box.drain()
    assert recorder.seen == [made(2)]
    clock.advance(seconds=2)
    await box.drain()
    assert recorder.seen == [made(2), made(1)]


async def test_consumer_that_fails_delays_no_other(db: Database, clock: FixedClock) -> None:
    bad, good = Recorder("bad"), Recorder("good")
    bad.fail = lambda _: ConnectionError("down")
    await emit(db, made(1), made(2))
    await outbox(db, clock, bad, good).drain()
    assert (bad.seen, good.seen) == ([], [made(1), made(2)])
    assert sorted(await states(db)) == [
        ("bad", "pending", 1), ("bad", "pending", 1), ("good", "done", 1), ("good", "done", 1),
    ]  # fmt: skip


async def test_crash_after_the_effect_delivers_again(db: Database, clock: FixedClock) -> None:
    """The process dies between the handler and its mark: the next one sees the event again."""
    recorder = Recorder()
    recorder.fail = lambda delivery: asyncio.CancelledError() if len(recorder.deliveries) == 1 else None
    await emit(db, made(1))
    with pytest.raises(asyncio.CancelledError):
        await outbox(db, clock, recorder).drain()
    await outbox(db, clock, recorder).drain()
    assert [delivery.attempt for delivery in recorder.deliveries] == [1, 1]
    assert len({delivery.id for delivery in recorder.deliveries}) == 1
    assert recorder.seen == [made(1)]


async def test_event_of_an_unknown_kind_is_dead_and_stops_nothing(db: Database, clock: FixedClock) -> None:
    """An older program finds deliveries of a newer one after going back a version."""
    recorder = Recorder()
    box = outbox(db, clock, recorder)
    await emit(db, made(1), made(2))
    await box.spread()
    first = select(outbox_events.c.id).order_by(outbox_events.c.id).limit(1).scalar_subquery()
    renamed = update(outbox_events).where(outbox_events.c.id == first).values(name="Unheard")
    await db.write(TESTS, lambda tx: tx.execute(renamed))
    await box.drain()
    assert recorder.seen == [made(2)]
    assert [state for _, state, _ in await states(db)] == ["dead", "done"]


async def test_running_outbox_delivers_when_the_bell_rings(db: Database, clock: FixedClock) -> None:
    arrived: asyncio.Queue[Event] = asyncio.Queue()

    async def handle(delivery: Delivery) -> None:
        arrived.put_nowait(delivery.event)

    box = Outbox(db, clock, [Consumer("mail", (BookingMade,), handle)])
    async with asyncio.TaskGroup() as group:
        running = group.create_task(box.run())
        for number in range(3):
            await emit(db, made(number))
        got: Sequence[Event] = [await arrived.get() for _ in range(3)]
        running.cancel()
    assert got == [made(number) for number in range(3)]
