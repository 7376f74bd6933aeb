"""One alert per cause: opened once, closed when it is over, gravest first."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select, update

from supervision.clock import FixedClock
from supervision.kernel.events import (
    BookingLate,
    BookingReturned,
    CertificateInstalled,
    CertificateRefused,
    ChargingStationConnected,
    Event,
    EvseStatusChanged,
)
from supervision.notify.alerts import AlertService
from supervision.store import schema
from supervision.store.db import Database, Tx
from supervision.store.outbox import Outbox
from tests import factories

PLACE = {"organisation_id": "org", "charging_station": "CP16", "station_id": "st"}
TRIP = {"organisation_id": "org", "booking_id": "b1", "vehicle_id": "car-CP16", "station_id": "st"}


async def deliver(db: Database, clock: FixedClock, service: AlertService, *events: Event) -> None:
    async def unit(tx: Tx) -> None:
        for event in events:
            tx.emit(event)

    await db.write("org", unit)
    await Outbox(db, clock, [service.consumer()]).drain()


async def inbox(db: Database, service: AlertService) -> list[tuple[str, str]]:
    async with db.read("org") as reader:
        return [(alert.kind, alert.severity) for alert in await service.open_alerts(reader, "org")]


async def test_alert_same_fault_twice_is_one_line(sqlite_db: Database, clock: FixedClock) -> None:
    await factories.write_service(sqlite_db)
    service = AlertService(sqlite_db, clock)
    fault = EvseStatusChanged(**PLACE, evse_id=1, status="Faulted")
    await deliver(sqlite_db, clock, service, fault, fault)
    clock.advance(seconds=60)
    assert await inbox(sqlite_db, service) == [("faulted", "high")]


async def test_alert_fault_that_ended_is_closed_and_may_open_again(
    sqlite_db: Database, clock: FixedClock
) -> None:
    await factories.write_service(sqlite_db)
    service = AlertService(sqlite_db, clock)
    shown = []
    for status in ("Faulted", "Available", "Faulted"):
        await deliver(sqlite_db, clock, service, EvseStatusChanged(**PLACE, evse_id=1, status=status))
        shown.append(len(await inbox(sqlite_db, service)))
        clock.advance(seconds=60)
        shown.append(len(await inbox(sqlite_db, service)))
    assert shown == [0, 1, 1, 0, 0, 1]


# seconds and status of each change, and the seconds at which the alert is looked for
FLAPS: list[tuple[list[tuple[int, str]], list[tuple[int, int]]]] = [
    ([(0, "Faulted"), (59, "Available")], [(30, 0), (58, 0), (60, 0), (120, 0)]),  # it was nothing
    ([(0, "Faulted"), (50, "Available"), (55, "Faulted")], [(59, 0), (60, 1), (300, 1)]),
    (
        [(at, ("Faulted", "Available")[at // 10 % 2]) for at in range(0, 300, 10)],
        [(59, 0), (60, 1), (200, 1), (349, 1), (350, 0)],  # the last change is at 290
    ),
]


@pytest.mark.parametrize(("changes", "looks"), FLAPS, ids=["short", "interrupted", "flapping"])
async def test_27_alert_of_a_flapping_fault_is_one_line_and_of_a_short_one_none(
    sqlite_db: Database, clock: FixedClock, changes: list[tuple[int, str]], looks: list[tuple[int, int]]
) -> None:
    await factories.write_service(sqlite_db)
    service = AlertService(sqlite_db, clock)
    told, seen = dict(changes), []
    for second in range(351):
        if second in told:
            change = EvseStatusChanged(**PLACE, evse_id=1, status=told[second])
            await deliver(sqlite_db, clock, service, change)
        if second in dict(looks):
            seen.append((second, len(await inbox(sqlite_db, service))))
        clock.advance(seconds=1)
    assert seen == looks
    async with sqlite_db.read("org") as reader:
        mine = select(func.count()).where(schema.alerts.c.organisation_id == "org")
        assert await reader.scalar(mine) == 1


async def test_alert_late_car_closes_with_its_return(sqlite_db: Database, clock: FixedClock) -> None:
    await factories.write_service(sqlite_db)
    await sqlite_db.write(
        "org",
        lambda tx: factories.booking(
            tx, id="b1", status="active", start_at=clock.now() - timedelta(hours=3), end_at=clock.now()
        ),
    )
    service = AlertService(sqlite_db, clock)
    await deliver(sqlite_db, clock, service, BookingLate(**TRIP))
    assert await inbox(sqlite_db, service) == [("late", "high")]
    await deliver(sqlite_db, clock, service, BookingReturned(**TRIP))
    assert await inbox(sqlite_db, service) == []


async def test_alert_silent_station_opens_after_ten_minutes_and_closes_on_return(
    sqlite_db: Database, clock: FixedClock
) -> None:
    await factories.write_service(sqlite_db)
    service = AlertService(sqlite_db, clock)
    gone = (
        update(schema.charging_stations)
        .where(
            schema.charging_stations.c.organisation_id == "org",
            schema.charging_stations.c.identity == "CP16",
        )
        .values(disconnected_at=clock.now())
    )

    async def unit(tx: Tx) -> None:
        await tx.execute(gone)

    await sqlite_db.write("org", unit)
    clock.advance(minutes=9, seconds=59)
    await service.sweep()
    assert await inbox(sqlite_db, service) == []
    clock.advance(seconds=1)
    await service.sweep()
    await service.sweep()
    assert await inbox(sqlite_db, service) == [("offline", "medium")]
    await deliver(sqlite_db, clock, service, ChargingStationConnected(**PLACE))
    assert await inbox(sqlite_db, service) == []


async def test_alert_acknowledged_names_who_takes_care(sqlite_db: Database, clock: FixedClock) -> None:
    await factories.write_service(sqlite_db)
    service = AlertService(sqlite_db, clock)
    await deliver(sqlite_db, clock, service, EvseStatusChanged(**PLACE, evse_id=1, status="Faulted"))
    clock.advance(seconds=60)
    async with sqlite_db.read("org") as reader:
        (alert,) = await service.open_alerts(reader, "org")
    assert await service.acknowledge("org", alert.id, "m1") is True
    assert await service.acknowledge("org", alert.id, "m1") is False
    async with sqlite_db.read("org") as reader:
        (seen,) = await service.open_alerts(reader, "org")
    assert (seen.acknowledged_by, seen.acknowledged_at) == ("m1", clock.now())


async def certificate(db: Database, clock: FixedClock, days: int) -> None:
    """Store a certificate that the station has taken, with so many days left."""

    async def unit(tx: Tx) -> None:
        await tx.execute(
            insert(schema.station_certificates).values(
                organisation_id="org",
                charging_station="CP16",
                state="installed",
                csr="",
                csr_digest=f"{days}",
                requested_at=clock.now(),
                not_after=clock.now() + timedelta(days=days),
            )
        )

    await db.write("org", unit)


async def test_alert_certificate_near_its_end_is_open_until_a_newer_one_is_there(
    sqlite_db: Database, clock: FixedClock
) -> None:
    await factories.write_service(sqlite_db)
    service = AlertService(sqlite_db, clock)
    await certificate(sqlite_db, clock, 31)
    await service.sweep()
    assert await inbox(sqlite_db, service) == []
    clock.advance(days=2)
    await service.sweep()
    await service.sweep()
    assert await inbox(sqlite_db, service) == [("certificate_ends", "medium")]
    await certificate(sqlite_db, clock, 700)
    await service.sweep()
    assert await inbox(sqlite_db, service) == []


async def test_alert_certificate_refused_is_open_until_one_is_installed(
    sqlite_db: Database, clock: FixedClock
) -> None:
    await factories.write_service(sqlite_db)
    service = AlertService(sqlite_db, clock)
    refused = CertificateRefused(**PLACE, certificate_id=1, reason="csr_name")
    await deliver(sqlite_db, clock, service, refused, refused)
    assert await inbox(sqlite_db, service) == [("certificate_refused", "medium")]
    await deliver(sqlite_db, clock, service, CertificateInstalled(**PLACE, certificate_id=2))
    assert await inbox(sqlite_db, service) == []
