"""What a handshake, a new socket and a boot ask and note, prepared: after an outage thousands do at once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, literal_column, null, select, update

from supervision.csms.holding import Registration
from supervision.csms.machine import State
from supervision.csms.model import ConnectorStatus
from supervision.csms.registry import Connection
from supervision.csms.store import Station, named, of_this_station, this_station
from supervision.kernel.timespan import to_millis
from supervision.kernel.units import watts
from supervision.store.db import Database, Job, Reader, across_tenants
from supervision.store.schema import charging_stations, charging_transactions, evses

_HANDSHAKE = across_tenants("the organisation is not known before the station is")


class ConnectPath:
    """Prepared queries and updates of charging stations that come back."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known = db.prepare_query(_known_query(), across=_HANDSHAKE)
        self._facts = db.prepare_query(_facts_query())
        self._evses = db.prepare_query(_evses_query())
        self._open = db.prepare_query(_open_query())
        self._policy = db.prepare_query(_policy_query())
        self._connected = db.prepare(_connected_update())
        self._booted = db.prepare(_booted_update())

    async def known(self, identity: str) -> Mapping[str, Any] | None:
        """Return the whole row of an identity, of whatever organisation."""
        return next(iter(await self._db.ask(self._known, b_identity=identity)), None)

    async def load(self, reader: Reader, connection: Connection) -> None:
        """Load what the messages of a new socket will need without asking again."""
        where = named(connection.station)
        for row in await reader.ask(self._facts, **where):
            connection.held = _held(row["registration"])
            connection.known = row["booted_at"] is not None and connection.held is None
            connection.violations = Counter(row["violations"] or {})
        for evse in await reader.ask(self._evses, **where):
            number = evse["evse_id"]
            connection.statuses[number] = (ConnectorStatus(evse["status"]), evse["status_at"])
            connection.max_power_w[number] = watts(evse["max_a"], len(evse["phases"]))
        for row in await reader.ask(self._open, **where):
            connection.open_transactions[row["ocpp_transaction_id"]] = (row["id"], row["evse_id"])

    async def policy(self, reader: Reader, station: Station) -> Mapping[str, Any] | None:
        """Return `boot_policy` and `held_at` of a station."""
        return next(iter(await reader.ask(self._policy, **named(station))), None)

    def connected(self, job: Job, station: Station, at: datetime, ocpp: str) -> None:
        """Note a new socket and the version it speaks."""
        job.add(self._connected, **named(station), b_at=to_millis(at), b_ocpp=ocpp)

    def booted(self, job: Job, station: Station, at: datetime, ocpp: str, facts: Mapping[str, Any]) -> None:
        """Note an accepted boot and what the station said about itself."""
        job.add(
            self._booted, **named(station), b_at=to_millis(at), b_ocpp=ocpp, b_boot=json.dumps(dict(facts))
        )


def _held(registration: str | None) -> Registration | None:
    return None if registration in (None, Registration.ACCEPTED.value) else Registration(registration)


def _known_query() -> Any:
    return select(charging_stations).where(charging_stations.c.identity == bindparam("b_identity"))


def _facts_query() -> Any:
    table = charging_stations
    return select(table.c.booted_at, table.c.violations, table.c.registration).where(this_station())


def _evses_query() -> Any:
    table = evses
    columns = (table.c.evse_id, table.c.status, table.c.status_at, table.c.max_a, table.c.phases)
    return select(*columns).where(of_this_station(table)).order_by(table.c.evse_id)


def _open_query() -> Any:
    table = charging_transactions
    columns = (table.c.id, table.c.ocpp_transaction_id, table.c.evse_id)
    return (
        select(*columns).where(of_this_station(table), table.c.state == State.OPEN.value).order_by(table.c.id)
    )


def _policy_query() -> Any:
    table = charging_stations
    return select(table.c.boot_policy, table.c.held_at).where(this_station())


def _connected_update() -> Any:
    table = charging_stations
    return (
        update(table)
        .where(this_station())
        .values(
            connected_at=bindparam("b_at", type_=table.c.connected_at.type),
            ocpp=bindparam("b_ocpp", type_=table.c.ocpp.type),
            disconnected_at=null(),
        )
    )


def _booted_update() -> Any:
    table = charging_stations
    at = bindparam("b_at", type_=table.c.booted_at.type)
    return (
        update(table)
        .where(this_station())
        .values(
            boot=bindparam("b_boot", type_=table.c.boot.type),
            registration=literal_column(f"'{Registration.ACCEPTED.value}'"),
            ocpp=bindparam("b_ocpp", type_=table.c.ocpp.type),
            booted_at=at,
            seen_at=at,
            held_at=null(),
        )
    )
