"""Alerts for the people who run the service: one line per cause, opened once, closed when it is over.

`cause` names what is wrong (``late:BOOKING``), so that the same trouble never opens a second line and
an event seen twice changes nothing. Texts are made by the portal from `kind` and `params`.

A state that flaps (quirk 27) is one line, and a short one none: the alert of a fault opens, and closes, at an
instant still to come, unless the state has changed back by then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, insert, literal, or_, select, update

from supervision.booking.model import Booking, BookingStatus
from supervision.clock import Clock
from supervision.kernel.events import (
    BookingCancelled,
    BookingLate,
    BookingMoved,
    BookingReturned,
    CertificateInstalled,
    CertificateRefused,
    ChargingLimitDiffers,
    ChargingStationConnected,
    DeviceNoticeReceived,
    Event,
    EvseStatusChanged,
)
from supervision.store.db import Database, Reader, Tx, across_tenants
from supervision.store.outbox import Consumer, Delivery
from supervision.store.schema import (
    alerts,
    bookings,
    charging_stations,
    outbox_deliveries,
    station_certificates,
)

OFFLINE_AFTER = timedelta(minutes=10)
STEADY_AFTER = timedelta(minutes=1)
SWEEP_EVERY = timedelta(minutes=1)
RENEW_AHEAD = timedelta(days=30)

LATE, OFFLINE, FAULTED, DISOBEYS, UNDELIVERED = "late", "offline", "faulted", "disobeys", "undelivered"
PROBLEM = "problem"
SECURITY, MONITORING = "security", "monitoring"
CERTIFICATE_ENDS, CERTIFICATE_REFUSED = "certificate_ends", "certificate_refused"
_SEVERITY = {
    LATE: "high",
    OFFLINE: "medium",
    FAULTED: "high",
    DISOBEYS: "medium",
    UNDELIVERED: "medium",
    PROBLEM: "info",
    SECURITY: "high",
    MONITORING: "medium",
    CERTIFICATE_ENDS: "medium",
    CERTIFICATE_REFUSED: "medium",
}


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One trouble, as the inbox shows it."""

    id: int
    organisation_id: str
    station_id: str | None
    kind: str
    cause: str
    severity: str  # high | medium | info
    params: Mapping[str, Any]
    opened_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None


class AlertService:
    """Opens and closes alerts from events and from a sweep."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def consumer(self) -> Consumer:
        """Return the outbox consumer."""
        wanted: tuple[type[Event], ...] = (
            BookingLate,
            BookingReturned,
            BookingCancelled,
            BookingMoved,
            CertificateInstalled,
            CertificateRefused,
            ChargingLimitDiffers,
            ChargingStationConnected,
            DeviceNoticeReceived,
            EvseStatusChanged,
        )
        return Consumer("alerts", wanted, self._handle)

    async def open_alerts(self, reader: Reader, organisation_id: str) -> list[Alert]:
        """Return the open alerts: gravest first, then oldest."""
        rows = await reader.all(
            select(alerts)
            .where(
                alerts.c.organisation_id == organisation_id,
                alerts.c.opened_at <= self._clock.now(),
                self._is_open(),
            )
            .order_by(alerts.c.opened_at, alerts.c.id)
        )
        ranks = {"high": 0, "medium": 1, "info": 2}
        return [_alert(row) for row in sorted(rows, key=lambda row: ranks.get(row["severity"], 3))]

    async def acknowledge(self, organisation_id: str, alert_id: int, person_id: str) -> bool:
        """Note who takes care; False when there is no such open alert."""
        statement = (
            update(alerts)
            .where(
                alerts.c.organisation_id == organisation_id,
                alerts.c.id == alert_id,
                self._is_open(),
                alerts.c.acknowledged_at.is_(None),
            )
            .values(acknowledged_at=self._clock.now(), acknowledged_by=person_id)
        )

        async def unit(tx: Tx) -> bool:
            tx.touch(f"alerts:{organisation_id}")
            return await tx.execute(statement) == 1

        return await self._db.write(organisation_id, unit)

    async def report(self, booking: Booking, *, by_person_id: str, problem: str, text: str) -> None:
        """Open an alert with a driver's words about the car; each report is one line of its own."""
        facts = {
            "booking": booking.id,
            "vehicle": booking.vehicle_id,
            "driver": by_person_id,
            "problem": problem,
            "text": text,
        }
        at = self._clock.now().isoformat()
        about = {"organisation_id": booking.organisation_id, "station_id": booking.station_id}

        async def unit(tx: Tx) -> None:
            await self._open(tx, about, PROBLEM, f"problem:{booking.id}:{at}", facts)

        await self._db.write(booking.organisation_id, unit)

    async def close(self, organisation_id: str, alert_id: int) -> bool:
        """End an alert a person has dealt with; False when there is no such open alert."""
        statement = (
            update(alerts)
            .where(
                alerts.c.organisation_id == organisation_id,
                alerts.c.id == alert_id,
                self._is_open(),
            )
            .values(closed_at=self._clock.now())
        )

        async def unit(tx: Tx) -> bool:
            tx.touch(f"alerts:{organisation_id}")
            return await tx.execute(statement) == 1

        return await self._db.write(organisation_id, unit)

    def _is_open(self) -> ColumnElement[bool]:
        return or_(alerts.c.closed_at.is_(None), alerts.c.closed_at > self._clock.now())

    async def sweep(self) -> None:
        """Open alerts for silent stations, deliveries that were given up, certificates near their end."""

        async def unit(tx: Tx) -> None:
            await self._sweep_offline(tx)
            await self._sweep_undelivered(tx)
            await self._sweep_certificates(tx)
            await self._tell_of_the_steady(tx)

        await self._db.write(across_tenants("every organisation's stations are watched"), unit)

    async def _sweep_offline(self, tx: Tx) -> None:
        gone_before = self._clock.now() - OFFLINE_AFTER
        table = charging_stations
        rows = await tx.all(
            select(table).where(
                table.c.disconnected_at <= gone_before,
                (table.c.connected_at.is_(None)) | (table.c.connected_at < table.c.disconnected_at),
            )
        )
        for row in rows:
            facts = {"charging_station": row["identity"], "since": row["disconnected_at"].isoformat()}
            await self._open(tx, row, OFFLINE, f"offline:{row['identity']}", facts)

    async def _sweep_undelivered(self, tx: Tx) -> None:
        table = outbox_deliveries
        for row in await tx.all(select(table).where(table.c.state == "dead").limit(50)):
            facts = {"consumer": row["consumer"], "error": row["error"]}
            await self._open(tx, {**row, "station_id": None}, UNDELIVERED, f"undelivered:{row['id']}", facts)

    async def _sweep_certificates(self, tx: Tx) -> None:
        """Warn in time of the end of the last certificate a station has taken."""
        table, place = station_certificates, charging_stations
        ends = func.max(table.c.not_after).label("until")
        rows = await tx.all(
            select(place.c.organisation_id, place.c.station_id, place.c.identity, ends)
            .join(place, place.c.identity == table.c.charging_station)
            .where(table.c.state == "installed")
            .group_by(place.c.organisation_id, place.c.station_id, place.c.identity)
        )
        for row in rows:
            cause = f"{CERTIFICATE_ENDS}:{row['identity']}"
            if row["until"] - self._clock.now() >= RENEW_AHEAD:
                await self._close(tx, row["organisation_id"], cause)
                continue
            facts = {"charging_station": row["identity"], "until": row["until"].isoformat()}
            await self._open(tx, row, CERTIFICATE_ENDS, cause, facts)

    async def _tell_of_the_steady(self, tx: Tx) -> None:
        """Alerts that have opened or closed by the passing of time: whoever looks at them must know."""
        now = self._clock.now()
        since = now - 2 * SWEEP_EVERY
        changed = or_(alerts.c.opened_at.between(since, now), alerts.c.closed_at.between(since, now))
        rows = await tx.all(
            select(alerts.c.organisation_id).where(alerts.c.kind == FAULTED, changed).distinct()
        )
        for row in rows:
            tx.touch(f"alerts:{row['organisation_id']}")

    async def _handle(self, delivery: Delivery) -> None:
        event = delivery.event

        async def unit(tx: Tx) -> None:
            match event:
                case BookingLate():
                    await self._open_late(tx, event)
                case BookingReturned() | BookingCancelled() | BookingMoved():
                    await self._close(tx, event.organisation_id, f"late:{event.booking_id}")
                case ChargingStationConnected():
                    await self._close(tx, event.organisation_id, f"offline:{event.charging_station}")
                case EvseStatusChanged():
                    await self._follow_fault(tx, event)
                case DeviceNoticeReceived():
                    await self._follow_notice(tx, event)
                case CertificateInstalled():
                    cause = f"{CERTIFICATE_REFUSED}:{event.charging_station}"
                    await self._close(tx, event.organisation_id, cause)
                case CertificateRefused():
                    cause = f"{CERTIFICATE_REFUSED}:{event.charging_station}"
                    facts = {"charging_station": event.charging_station, "reason": event.reason}
                    await self._open(tx, vars(event), CERTIFICATE_REFUSED, cause, facts)
                case ChargingLimitDiffers():
                    place = f"{event.charging_station}/{event.evse_id}"
                    told = {"charging_station": event.charging_station, "evse_id": event.evse_id}
                    await self._open(tx, vars(event), DISOBEYS, f"disobeys:{place}", told)

        await self._db.write(event.organisation_id, unit)

    async def _open_late(self, tx: Tx, event: BookingLate) -> None:
        row = await tx.first(
            select(bookings.c.status, bookings.c.end_at, bookings.c.driver_id).where(
                bookings.c.organisation_id == event.organisation_id, bookings.c.id == event.booking_id
            )
        )
        if row is None or row["status"] != BookingStatus.ACTIVE:
            return
        facts = {
            "booking": event.booking_id,
            "vehicle": event.vehicle_id,
            "driver": row["driver_id"],
            "end_at": row["end_at"].isoformat(),
        }
        await self._open(tx, vars(event), LATE, f"late:{event.booking_id}", facts)

    async def _follow_fault(self, tx: Tx, event: EvseStatusChanged) -> None:
        cause = f"faulted:{event.charging_station}/{event.evse_id}"
        if event.status != "Faulted":
            await self._close(tx, event.organisation_id, cause, after=STEADY_AFTER)
        elif not await self._goes_on(tx, event.organisation_id, cause):
            facts = {"charging_station": event.charging_station, "evse_id": event.evse_id}
            await self._open(tx, vars(event), FAULTED, cause, facts, after=STEADY_AFTER)

    async def _goes_on(self, tx: Tx, organisation_id: str, cause: str) -> bool:
        """Take back the end of an alert that is still to come; False when there is none.

        One that would open at this very moment and was called off goes on, too: it has not been quiet yet.
        """
        now = self._clock.now()
        opens_now = and_(alerts.c.opened_at == now, alerts.c.closed_at == now)
        kept = await tx.execute(
            update(alerts)
            .where(
                alerts.c.organisation_id == organisation_id,
                alerts.c.cause == cause,
                or_(alerts.c.closed_at > now, opens_now),
            )
            .values(closed_at=None)
        )
        return kept > 0

    async def _follow_notice(self, tx: Tx, event: DeviceNoticeReceived) -> None:
        """A person closes what the station does not clear by itself, as every security event."""
        cause = f"{event.kind}:{event.charging_station}:{event.about}"
        if event.cleared:
            await self._close(tx, event.organisation_id, cause)
            return
        facts = {"charging_station": event.charging_station, "about": event.about}
        await self._open(tx, vars(event), event.kind, cause, facts)

    async def _open(
        self,
        tx: Tx,
        about: Mapping[str, Any],
        kind: str,
        cause: str,
        params: Mapping[str, Any],
        *,
        after: timedelta = timedelta(0),
    ) -> None:
        organisation_id = str(about["organisation_id"])
        same = (alerts.c.organisation_id == organisation_id, alerts.c.cause == cause)
        # A given-up delivery stays given up: its alert, once closed by a person, is not opened again.
        repeats = select(alerts.c.id).where(*same)
        if kind != UNDELIVERED:
            repeats = repeats.where(alerts.c.closed_at.is_(None))
        if await tx.scalar(repeats) is not None:
            return
        await tx.execute(
            insert(alerts).values(
                organisation_id=organisation_id,
                station_id=about.get("station_id"),
                kind=kind,
                cause=cause,
                severity=_SEVERITY[kind],
                params=dict(params),
                opened_at=self._clock.now() + after,
            )
        )
        tx.touch(f"alerts:{organisation_id}")

    async def _close(
        self, tx: Tx, organisation_id: str, cause: str, *, after: timedelta = timedelta(0)
    ) -> None:
        """End an alert; one that has not opened yet never will."""
        now = self._clock.now()
        end_at = literal(now + after, alerts.c.closed_at.type)
        closed = await tx.execute(
            update(alerts)
            .where(
                alerts.c.organisation_id == organisation_id,
                alerts.c.cause == cause,
                alerts.c.closed_at.is_(None),
            )
            .values(closed_at=case((alerts.c.opened_at > now, alerts.c.opened_at), else_=end_at))
        )
        if closed:
            tx.touch(f"alerts:{organisation_id}")


def _alert(row: Mapping[str, Any]) -> Alert:
    names: Sequence[str] = tuple(Alert.__dataclass_fields__)
    return Alert(**{name: row[name] for name in names})
