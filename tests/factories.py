"""Rows for tests: one small service, every value overridable by name.

    await write_service(db)                    # organisation "org" ... driver "d1", as in the contract
    await db.write("org", lambda tx: vehicle(tx, id="car-9", station_id="st"))

Each function inserts one thing inside a unit of work and returns its id.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Table, insert

from supervision.store import schema
from supervision.store.db import Database, Tx, across_tenants

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
TESTS = across_tenants("tests set up every organisation")


async def _add(tx: Tx, table: Table, defaults: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    row = {**defaults, **values}
    await tx.execute(insert(table).values(**row))
    return row


async def organisation(tx: Tx, **values: Any) -> str:
    """Insert the tenant."""
    row = await _add(tx, schema.organisations, {"id": "org", "name": "Org", "created_at": NOW}, values)
    return str(row["id"])


async def community(tx: Tx, **values: Any) -> str:
    """Insert a public service with the seed's rules."""
    defaults = {"id": "com", "organisation_id": "org", "name": "Com", "zone": "Europe/Paris", "rules": {}}
    return str((await _add(tx, schema.communities, defaults, values))["id"])


async def station(tx: Tx, **values: Any) -> str:
    """Insert a car-sharing place with 64 A per phase."""
    defaults = {
        "id": "st",
        "organisation_id": "org",
        "community_id": "com",
        "name": "St",
        "lat": 44.7,
        "lon": 5.0,
        "grid_limit_a": [64, 64, 64],
        "grid_voltage_v": 230,
    }
    return str((await _add(tx, schema.stations, defaults, values))["id"])


async def charging_station(tx: Tx, *, evses: int = 1, **values: Any) -> str:
    """Insert a charging station (no password, security profile 0) with AC 22 kW EVSEs 1..n."""
    defaults = {"identity": "CP16", "organisation_id": "org", "station_id": "st", "security_profile": 0}
    row = await _add(tx, schema.charging_stations, defaults, values)
    for number in range(1, evses + 1):
        of = {"charging_station": row["identity"], "organisation_id": row["organisation_id"]}
        await evse(tx, evse_id=number, **of)
    return str(row["identity"])


async def evse(tx: Tx, **values: Any) -> int:
    """Insert one EVSE of an existing charging station."""
    defaults = {
        "charging_station": "CP16",
        "evse_id": 1,
        "organisation_id": "org",
        "kind": "ac22",
        "phases": [1, 2, 3],
        "max_a": 32.0,
        "min_a": 6.0,
    }
    return int((await _add(tx, schema.evses, defaults, values))["evse_id"])


async def vehicle(tx: Tx, **values: Any) -> str:
    """Insert a car at home on CP16/1."""
    defaults = {
        "id": "car-1",
        "organisation_id": "org",
        "station_id": "st",
        "charging_station": "CP16",
        "evse_id": 1,
        "name": "Car 1",
        "plate": "AA-001-AA",
        "model": "zoe-52",
        "battery_wh": 52000,
        "phases": 3,
        "max_a": 32.0,
        "min_a": 8.0,
        "wh_per_km": 165,
        "tariff_id": "t1",
    }
    return str((await _add(tx, schema.vehicles, defaults, values))["id"])


async def person(tx: Tx, *, roles: tuple[dict[str, Any], ...] = (), **values: Any) -> str:
    """Insert a person; each role is a dict of `role` and, when not the defaults, its place."""
    defaults = {"id": "p1", "name": "Person", "created_at": NOW}
    row = {**defaults, **values}
    row.setdefault("email", f"{row['id']}@example.org")
    await tx.execute(insert(schema.people).values(**row))
    for role in roles:
        place = {"organisation_id": "org", "community_id": None, **role}
        await tx.execute(insert(schema.roles).values(person_id=row["id"], **place))
    return str(row["id"])


async def driver(tx: Tx, **values: Any) -> str:
    """Insert a driver of community com with a licence valid for years."""
    licence = {
        "licence_number": "12AB34567",
        "licence_category": "B",
        "licence_valid_until": date(2035, 1, 1),
    }
    defaults = {"id": "d1", "name": "D One", "phone": "+33600000001", **licence}
    roles = values.pop("roles", ({"role": "driver", "community_id": "com"},))
    return await person(tx, roles=roles, **{**defaults, **values})


async def manager(tx: Tx, **values: Any) -> str:
    """Insert a fleet manager of the whole organisation."""
    roles = values.pop("roles", ({"role": "fleet_manager"},))
    return await person(tx, roles=roles, **{"id": "m1", "name": "M One", **values})


async def booking(tx: Tx, **values: Any) -> str:
    """Insert a booked trip of car-1 from one hour after NOW for two hours, with its 30 minutes of buffer."""
    start_at = values.get("start_at", NOW + timedelta(hours=1))
    end_at = values.get("end_at", start_at + timedelta(hours=2))
    driver_id = values.get("driver_id", "d1")
    defaults = {
        "id": "b1",
        "organisation_id": "org",
        "community_id": "com",
        "station_id": "st",
        "vehicle_id": "car-1",
        "driver_id": driver_id,
        "made_by_id": driver_id,
        "status": "booked",
        "start_at": start_at,
        "end_at": end_at,
        "blocked_until": end_at + timedelta(minutes=30),
        "made_at": NOW,
        "tariff_id": "t1",
    }
    return str((await _add(tx, schema.bookings, defaults, values))["id"])


async def id_token(tx: Tx, **values: Any) -> str:
    """Insert an accepted badge."""
    row = {"token": "04A1B2C3", "type": "ISO14443", "status": "Accepted", "organisation_id": "org", **values}
    row.setdefault("token_key", str(row["token"]).lower())
    await tx.execute(insert(schema.id_tokens).values(**row))
    return str(row["token"])


async def service(tx: Tx) -> None:
    """Insert one of each: org, com, st, CP16 with its EVSE, car-1, manager m1, driver d1."""
    await organisation(tx)
    await community(tx)
    await station(tx)
    await charging_station(tx)
    await vehicle(tx)
    await manager(tx)
    await driver(tx)


async def write_service(db: Database) -> None:
    """Insert the small service in one commit."""
    await db.write(TESTS, service)
