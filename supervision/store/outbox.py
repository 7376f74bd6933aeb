"""Events leave the database after the commit that made them, at least once, in order per consumer.

`spread` gives every event one delivery per interested consumer; each consumer then works through its
own deliveries, so a mail server that is down delays no charging plan. A failed delivery is tried again
with growing pauses, overtaken by those behind it (a consumer re-reads the truth and needs no strict
order), and, when it cannot succeed, becomes a dead letter for the portal to show.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, bindparam, insert, literal_column, select, update

from supervision.clock import Clock
from supervision.kernel.events import Event, event_from
from supervision.kernel.timespan import to_millis
from supervision.log import Log
from supervision.store.db import Database, Job, Tx, across_tenants
from supervision.store.schema import outbox_deliveries, outbox_events

log = Log("supervision.outbox")

MAX_ATTEMPTS = 12
FIRST_PAUSE = timedelta(seconds=2)
LONGEST_PAUSE = timedelta(hours=1)
POLL_S = 1.0  # behind the doorbell: other processes write events too
BATCH = 200

_WHOLE_SERVICE = across_tenants("the outbox serves every organisation; each event carries its own")


class UndeliverableError(RuntimeError):
    """Trying again cannot help; the delivery becomes a dead letter at once."""


@dataclass(frozen=True)
class Delivery:
    """One event for one consumer; `id` is stable over retries and serves as idempotency key."""

    id: int
    event: Event
    at: datetime
    attempt: int


Handler = Callable[[Delivery], Awaitable[None]]


@dataclass(frozen=True)
class Consumer:
    """Who wants which events. `handle` must bear to see the same event twice."""

    name: str
    events: tuple[type[Event], ...]
    handle: Handler

    def wants(self, name: str) -> bool:
        """Tell whether an event of this name is for this consumer."""
        return any(kind.name == name for kind in self.events)


def pause_after(attempt: int) -> timedelta:
    """Return how long to wait after the given failed attempt: 2 s, 4 s, 8 s ... one hour."""
    return min(FIRST_PAUSE * int(2 ** (attempt - 1)), LONGEST_PAUSE)


class Outbox:
    """Delivers what units of work emitted."""

    def __init__(self, db: Database, clock: Clock, consumers: Sequence[Consumer]) -> None:
        self._db = db
        self._clock = clock
        self._consumers = {consumer.name: consumer for consumer in consumers}
        self._bells = {name: asyncio.Event() for name in self._consumers}
        self._finish = db.prepare(_finish_update())

    async def run(self) -> None:
        """Deliver for ever; ends only by cancellation."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._spread_loop())
            for consumer in self._consumers.values():
                group.create_task(self._consumer_loop(consumer))

    async def drain(self) -> int:
        """Spread and deliver until nothing is due now; return how many deliveries succeeded."""
        delivered = 0
        while True:
            spread = await self.spread()
            done = sum([await self.deliver_due(consumer) for consumer in self._consumers.values()])
            delivered += done
            if not spread and not done:
                return delivered

    async def spread(self) -> int:
        """Make deliveries for events that have none yet; return how many events were spread."""

        async def unit(tx: Tx) -> int:
            fresh = await tx.all(
                select(outbox_events)
                .where(outbox_events.c.spread_at.is_(None))
                .order_by(outbox_events.c.id)
                .limit(BATCH)
            )
            if not fresh:
                return 0
            now = self._clock.now()
            rows = [self._delivery_row(event, name, now) for event in fresh for name in self._wanting(event)]
            if rows:
                await tx.execute(insert(outbox_deliveries), rows)
            ids = [event["id"] for event in fresh]
            await tx.execute(update(outbox_events).where(outbox_events.c.id.in_(ids)).values(spread_at=now))
            return len(fresh)

        async with self._db.read(_WHOLE_SERVICE) as reader:  # the idle poll takes no write lock
            waiting = await reader.scalar(
                select(outbox_events.c.id).where(outbox_events.c.spread_at.is_(None)).limit(1)
            )
        if waiting is None:
            return 0
        return await self._db.write(_WHOLE_SERVICE, unit)

    async def deliver_due(self, consumer: Consumer) -> int:
        """Hand over what is due for one consumer; return how many deliveries succeeded."""
        done = 0
        for delivery in await self._due(consumer):
            done += await self._deliver(consumer, delivery)
        return done

    async def _due(self, consumer: Consumer) -> list[Delivery]:
        statement = (
            select(outbox_deliveries, outbox_events.c.name, outbox_events.c.payload, outbox_events.c.at)
            .join(outbox_events, outbox_events.c.id == outbox_deliveries.c.event_id)
            .where(
                and_(
                    outbox_deliveries.c.consumer == consumer.name,
                    outbox_deliveries.c.state == "pending",
                    outbox_deliveries.c.next_try_at <= self._clock.now(),
                )
            )
            .order_by(outbox_deliveries.c.id)
            .limit(BATCH)
        )
        async with self._db.read(_WHOLE_SERVICE) as reader:
            rows = await reader.all(statement)
        deliveries = [await self._readable(row) for row in rows]
        return [delivery for delivery in deliveries if delivery is not None]

    async def _readable(self, row: Mapping[str, Any]) -> Delivery | None:
        """Rebuild the event; one that another version of the program wrote may be unknown here."""
        try:
            event = event_from(row["name"], row["payload"])
        except (KeyError, TypeError) as error:
            log.error("outbox.event_unknown", event_name=row["name"], delivery=row["id"])
            await self._mark(row["id"], state="dead", error=f"{type(error).__name__}: {error}"[:500])
            return None
        return Delivery(row["id"], event, row["at"], row["attempts"] + 1)

    async def _deliver(self, consumer: Consumer, delivery: Delivery) -> bool:
        try:
            await consumer.handle(delivery)
        except Exception as error:
            await self._failed(consumer, delivery, error)
            return False
        job = Job()
        at = to_millis(self._clock.now())
        job.add(self._finish, b_id=delivery.id, b_at=at, b_attempts=delivery.attempt)
        await self._db.append(job)
        return True

    async def _failed(self, consumer: Consumer, delivery: Delivery, error: Exception) -> None:
        dead = isinstance(error, UndeliverableError) or delivery.attempt >= MAX_ATTEMPTS
        log.error(
            "outbox.delivery_failed",
            exc_info=error,
            consumer=consumer.name,
            event_name=delivery.event.name,
            attempt=delivery.attempt,
            dead=dead,
        )
        await self._mark(
            delivery.id,
            state="dead" if dead else "pending",
            attempts=delivery.attempt,
            next_try_at=self._clock.now() + pause_after(delivery.attempt),
            error=f"{type(error).__name__}: {error}"[:500],
        )

    async def _mark(self, delivery_id: int, **values: Any) -> None:
        statement = update(outbox_deliveries).where(outbox_deliveries.c.id == delivery_id).values(**values)

        async def unit(tx: Tx) -> None:
            await tx.execute(statement)

        await self._db.write(_WHOLE_SERVICE, unit)

    def _wanting(self, event: Mapping[str, Any]) -> list[str]:
        return [name for name, consumer in self._consumers.items() if consumer.wants(event["name"])]

    def _delivery_row(self, event: Mapping[str, Any], consumer: str, now: datetime) -> dict[str, Any]:
        return {
            "organisation_id": event["organisation_id"],
            "event_id": event["id"],
            "consumer": consumer,
            "state": "pending",
            "next_try_at": now,
        }

    async def _spread_loop(self) -> None:
        while True:
            self._db.outbox_bell.clear()
            if await self.spread():
                for bell in self._bells.values():
                    bell.set()
            else:
                await _ring_or_poll(self._db.outbox_bell)

    async def _consumer_loop(self, consumer: Consumer) -> None:
        bell = self._bells[consumer.name]
        while True:
            bell.clear()
            if not await self.deliver_due(consumer):
                await _ring_or_poll(bell)


def _finish_update() -> Any:
    """UPDATE a delivery that succeeded, prepared: most do."""
    table = outbox_deliveries
    return (
        update(table)
        .where(table.c.id == bindparam("b_id"))
        .values(
            state=literal_column("'done'"),
            done_at=bindparam("b_at", type_=table.c.done_at.type),
            attempts=bindparam("b_attempts", type_=table.c.attempts.type),
        )
    )


async def _ring_or_poll(bell: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(POLL_S):
            await bell.wait()
    except TimeoutError:
        return
