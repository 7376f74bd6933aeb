"""What stations told about themselves and are busy with, for pages and programs; consequences of commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, Table, delete, select

from supervision.clock import Clock
from supervision.csms import wire
from supervision.csms.devices import store
from supervision.csms.devices.model import KIND_OF_ACTION, ErrandKind, ReservationState, errand_order
from supervision.csms.outbound import CommandState
from supervision.csms.store import Station
from supervision.kernel.events import CommandFinished
from supervision.kernel.timespan import format_instant, instant_text
from supervision.store.db import Database, Tx, across_tenants
from supervision.store.outbox import Consumer, Delivery
from supervision.store.schema import (
    charging_limits,
    commands,
    device_notices,
    errand_pages,
    errands,
    evse_reservations,
)

Document = dict[str, Any]
Row = Mapping[str, Any]

_RETENTION = across_tenants("what is older than its time goes, whoever it belongs to")
_AT_ONCE = 100
RESERVE, CANCEL = "ReserveNow", "CancelReservation"
_CONSEQUENTIAL = frozenset({*KIND_OF_ACTION, RESERVE, CANCEL})


class DeviceService:
    """Notices, errands, reservations of EVSEs and limits set by others. One instance per process."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def consumer(self) -> Consumer:
        """Return what the outbox must deliver here."""
        return Consumer("devices", (CommandFinished,), self._handle)

    async def _handle(self, delivery: Delivery) -> None:
        event = delivery.event
        if isinstance(event, CommandFinished):
            await self._finished(event)

    async def _finished(self, event: CommandFinished) -> None:
        """Note what a command has set in motion; a repeated delivery changes nothing.

        Most commands, as charging profiles, set nothing in motion: they take no write lock.
        """
        if event.action not in _CONSEQUENTIAL:
            return
        station = Station.of(vars(event))

        async def unit(tx: Tx) -> None:
            row = await tx.first(
                select(commands).where(
                    commands.c.organisation_id == event.organisation_id, commands.c.id == event.command_id
                )
            )
            if row is None or row["sent_at"] is None:
                return
            await self._follow(tx, station, row)
            tx.touch(station.topic)

        await self._db.write(event.organisation_id, unit)

    async def _follow(self, tx: Tx, station: Station, row: Row) -> None:
        now, payload = self._clock.now(), row["payload"]
        answered = row["state"] == CommandState.ANSWERED.value
        order = errand_order(row["action"], payload, row["response"] if answered else None)
        if order is not None:
            await store.ordered(tx, station, order, row["id"], sent_at=row["sent_at"], now=now)
            return
        if not answered or (row["response"] or {}).get("status") != "Accepted":
            return
        number = wire.whole(payload, "reservationId")
        if row["action"] == RESERVE:
            number = wire.whole(payload, "id") if number is None else number  # 2.0.1 names it otherwise
            if number is not None:
                await self._hold(tx, station, number, payload)
        elif number is not None:
            await store.end_reservation(tx, station, number, ReservationState.CANCELLED, now)

    async def _hold(self, tx: Tx, station: Station, number: int, payload: Row) -> None:
        token = wire.text(payload, "idTag") or wire.text(wire.inner(payload, "idToken"), "idToken")
        told_in_16 = wire.whole(payload, "connectorId")
        await store.hold_evse(
            tx,
            self._db,
            station,
            reservation_id=number,
            evse_id=(wire.whole(payload, "evseId") or 0) if told_in_16 is None else told_in_16,
            token=token or "",
            expires_at=wire.moment(payload.get("expiryDate") or payload.get("expiryDateTime")),
            now=self._clock.now(),
        )

    # --- reading ----------------------------------------------------------------------------------------

    async def notices(
        self, organisation_id: str, identity: str, *, before: int | None = None, limit: int = 50
    ) -> list[Document]:
        """Notices of a station, newest first."""
        rows = await self._newest(device_notices, organisation_id, identity, before, limit)
        return [_notice_document(row) for row in rows]

    async def errands(
        self, organisation_id: str, identity: str, *, before: int | None = None, limit: int = 50
    ) -> list[Document]:
        """Errands of a station, newest first."""
        rows = await self._newest(errands, organisation_id, identity, before, limit)
        return [_errand_document(row) for row in rows]

    async def firmware_errands(self, organisation_id: str, *, limit: int = 50) -> list[Document]:
        """Firmware updates of all stations of an organisation, newest first."""
        rows = await self._all(
            select(errands)
            .where(errands.c.organisation_id == organisation_id, errands.c.kind == ErrandKind.FIRMWARE.value)
            .order_by(errands.c.id.desc())
            .limit(limit),
            organisation_id,
        )
        return [{**_errand_document(row), "charging_station": row["charging_station"]} for row in rows]

    async def errand(self, organisation_id: str, identity: str, errand_id: int) -> Document | None:
        """Return one errand with the pages of its report that are here, in order."""
        async with self._db.read(organisation_id) as reader:
            row = await reader.first(
                select(errands).where(
                    errands.c.organisation_id == organisation_id,
                    errands.c.charging_station == identity,
                    errands.c.id == errand_id,
                )
            )
            if row is None:
                return None
            pages = await store.pages_of(reader, organisation_id, errand_id)
        return {**_errand_document(row), "pages": [page["payload"] for page in pages]}

    async def reservations(self, organisation_id: str, identity: str) -> list[Document]:
        """Reservations of EVSEs, newest first; one whose time is over has run out, told or not."""
        table = evse_reservations
        rows = await self._all(
            select(table)
            .where(table.c.organisation_id == organisation_id, table.c.charging_station == identity)
            .order_by(table.c.state_at.desc(), table.c.evse_reservation_id.desc())
            .limit(_AT_ONCE),
            organisation_id,
        )
        now = self._clock.now()
        return [_reservation_document(row, now) for row in rows]

    async def limits(self, organisation_id: str, identity: str) -> list[Document]:
        """Limits others have set in the station, by EVSE and source."""
        table = charging_limits
        rows = await self._all(
            select(table)
            .where(table.c.organisation_id == organisation_id, table.c.charging_station == identity)
            .order_by(table.c.evse_id, table.c.source),
            organisation_id,
        )
        return [_limit_document(row) for row in rows]

    async def _newest(
        self, table: Table, organisation_id: str, identity: str, before: int | None, limit: int
    ) -> Sequence[Row]:
        statement = (
            select(table)
            .where(table.c.organisation_id == organisation_id, table.c.charging_station == identity)
            .order_by(table.c.id.desc())
            .limit(limit)
        )
        if before is not None:
            statement = statement.where(table.c.id < before)
        return await self._all(statement, organisation_id)

    async def _all(self, statement: Select[Any], organisation_id: str) -> Sequence[Row]:
        async with self._db.read(organisation_id) as reader:
            return await reader.all(statement)

    # --- retention --------------------------------------------------------------------------------------

    async def forget_before(self, instant: datetime) -> None:
        """Drop notices and finished errands older than `instant`; reports may hold what a person said."""

        async def unit(tx: Tx) -> None:
            old = select(errands.c.id).where(errands.c.finished_at < instant)
            await tx.execute(delete(errand_pages).where(errand_pages.c.errand_id.in_(old)))
            await tx.execute(delete(errands).where(errands.c.finished_at < instant))
            await tx.execute(delete(device_notices).where(device_notices.c.received_at < instant))

        await self._db.write(_RETENTION, unit)


def _notice_document(row: Row) -> Document:
    return {
        "id": row["id"],
        "kind": row["kind"],
        "name": row["name"],
        "evse_id": row["evse_id"],
        "at": format_instant(row["at"]),
        "alarming": row["alarming"],
        "cleared": row["cleared"],
        "details": row["details"],
    }


def _errand_document(row: Row) -> Document:
    return {
        "id": row["id"],
        "kind": row["kind"],
        "request_id": row["request_id"],
        "command": row["command_id"],
        "state": row["state"],
        "word": row["word"],
        "begun_at": format_instant(row["begun_at"]),
        "told_at": format_instant(row["told_at"]),
        "finished_at": instant_text(row["finished_at"]),
    }


def _reservation_document(row: Row, now: datetime) -> Document:
    expires_at = row["expires_at"]
    over = row["state"] == ReservationState.HELD and expires_at is not None and expires_at <= now
    return {
        "id": row["evse_reservation_id"],
        "evse_id": row["evse_id"],
        "token_hint": row["token_hint"],
        "expires_at": instant_text(expires_at),
        "state": ReservationState.EXPIRED.value if over else row["state"],
        "state_at": format_instant(expires_at if over else row["state_at"]),
    }


def _limit_document(row: Row) -> Document:
    return {
        "evse_id": row["evse_id"],
        "source": row["source"],
        "grid_critical": row["grid_critical"],
        "schedules": row["charging_schedules"],
        "at": format_instant(row["at"]),
    }
