"""The charging stations of an organisation as the API and the portal read and change them.

Documents are the JSON of `API.md`: instants as RFC 3339 text, energy in Wh, power in W. Lists take `after`
(the last id seen) and `limit`, and answer `Page(items, next)`; `next` is None at the end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from supervision import chance
from supervision.csms import command_store, credentials
from supervision.csms.holding import BootPolicy
from supervision.csms.machine import State
from supervision.csms.registry import Registry
from supervision.kernel.errors import Refused
from supervision.kernel.events import IdTokensChanged
from supervision.kernel.timespan import instant_text
from supervision.store.db import Database, Reader, Tx
from supervision.store.schema import (
    authorisation_attempts,
    charging_stations,
    charging_transactions,
    commands,
    evses,
    id_tokens,
    local_lists,
    stations,
)

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a list."""

    items: list[Document]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvse:
    """An EVSE to register; currents in amperes per phase."""

    id: int
    kind: str
    phases: tuple[int, ...]
    max_a: float
    min_a: float


class DirectoryService:
    """Reads and registrations; one instance per process."""

    def __init__(self, *, db: Database, registry: Registry) -> None:
        self._db = db
        self._registry = registry

    # --- charging stations ---------------------------------------------------------------------------

    async def stations(
        self, organisation_id: str, *, station_id: str | None = None, after: str = "", limit: int = 100
    ) -> Page:
        """List charging stations by identity, of one car-sharing station if it is named."""
        table = charging_stations
        statement = (
            select(table)
            .where(table.c.organisation_id == organisation_id, table.c.identity > after)
            .order_by(table.c.identity)
            .limit(limit + 1)
        )
        if station_id is not None:
            statement = statement.where(table.c.station_id == station_id)
        async with self._db.read(organisation_id) as reader:
            rows = await reader.all(statement)
            found = await self._documents(reader, organisation_id, rows[:limit])
        return _page(found, more=len(rows) > limit, key="identity")

    async def station(self, organisation_id: str, identity: str) -> Document | None:
        """Return one charging station with its EVSEs, live power and open charging transactions."""
        table = charging_stations
        async with self._db.read(organisation_id) as reader:
            row = await reader.first(
                select(table).where(table.c.organisation_id == organisation_id, table.c.identity == identity)
            )
            found = await self._documents(reader, organisation_id, [] if row is None else [row])
        return found[0] if found else None

    async def register(
        self,
        organisation_id: str,
        *,
        identity: str,
        station_id: str,
        new_evses: Sequence[NewEvse],
        security_profile: int,
        password: str | None,
    ) -> Document | Refused:
        """Register a charging station; refused when the identity is taken or the place is unknown."""
        length = len((password or "").encode())
        needs_one = security_profile in (1, 2) or password is not None  # profile 3 has its certificate
        if needs_one and not credentials.MIN_BYTES <= length <= credentials.MAX_BYTES:
            return Refused("weak_password", {"min": credentials.MIN_BYTES, "max": credentials.MAX_BYTES})
        salt = chance.new_bytes(16)
        hashed = None if password is None else credentials.hash_password(salt, password.encode())

        async def unit(tx: Tx) -> Refused | None:
            refused = await _refuse_registration(tx, organisation_id, station_id)
            if refused is not None:
                return refused
            values = {
                "identity": identity,
                "organisation_id": organisation_id,
                "station_id": station_id,
                "security_profile": security_profile,
                "password_salt": None if hashed is None else salt,
                "password_hash": hashed,
            }
            await tx.execute(insert(charging_stations).values(**values))
            for new in new_evses:
                await tx.execute(insert(evses).values(**_evse_row(organisation_id, identity, new)))
            tx.touch(f"station:{station_id}")
            return None

        try:
            refused = await self._db.write(organisation_id, unit)
        except IntegrityError:  # identities are unique over all organisations
            return Refused("conflict", {"charging_station": identity})
        return refused or await self.station(organisation_id, identity) or Refused("unknown_charging_station")

    async def set_boot_policy(
        self, organisation_id: str, identity: str, policy: BootPolicy
    ) -> Document | Refused:
        """Choose how the next boots of a station are answered."""
        table = charging_stations

        async def unit(tx: Tx) -> int:
            return await tx.execute(
                update(table)
                .where(table.c.organisation_id == organisation_id, table.c.identity == identity)
                .values(boot_policy=None if policy is BootPolicy.ACCEPT else policy.value)
            )

        if not await self._db.write(organisation_id, unit):
            return Refused("unknown_charging_station", {"charging_station": identity})
        return await self.station(organisation_id, identity) or Refused("unknown_charging_station")

    async def _documents(
        self, reader: Reader, organisation_id: str, rows: Sequence[Mapping[str, Any]]
    ) -> list[Document]:
        identities = [row["identity"] for row in rows]
        if not identities:
            return []
        places = await reader.all(
            select(evses)
            .where(evses.c.organisation_id == organisation_id, evses.c.charging_station.in_(identities))
            .order_by(evses.c.charging_station, evses.c.evse_id)
        )
        charging = await _open_by_evse(reader, organisation_id, identities)
        lists = await _local_lists(reader, organisation_id, identities)
        by_identity: dict[str, list[Document]] = defaultdict(list)
        for place in places:
            key = (place["charging_station"], place["evse_id"])
            by_identity[key[0]].append(_evse_document(place, charging.get(key)))
        return [
            self._document(row, by_identity[row["identity"]]) | {"local_list": lists.get(row["identity"])}
            for row in rows
        ]

    def _document(self, row: Mapping[str, Any], evse_documents: list[Document]) -> Document:
        return {
            "identity": row["identity"],
            "station": row["station_id"],
            "security_profile": row["security_profile"],
            "connected": self._registry.connected(row["identity"]),
            "ocpp": row["ocpp"],
            "boot": row["boot"],
            "booted_at": instant_text(row["booted_at"]),
            "seen_at": instant_text(row["seen_at"]),
            "connected_at": instant_text(row["connected_at"]),
            "disconnected_at": instant_text(row["disconnected_at"]),
            "boot_policy": row["boot_policy"] or BootPolicy.ACCEPT.value,
            "registration": row["registration"],
            "clock_offset_s": None if row["clock_offset_ms"] is None else row["clock_offset_ms"] / 1000,
            "violations": row["violations"],
            "evses": evse_documents,
        }

    # --- what stations said --------------------------------------------------------------------------

    async def charging_transactions(
        self,
        organisation_id: str,
        *,
        identity: str | None = None,
        is_open: bool | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> Page:
        """Charging transactions by id."""
        table = charging_transactions
        statement = (
            select(table)
            .where(table.c.organisation_id == organisation_id, table.c.id > after)
            .order_by(table.c.id)
            .limit(limit + 1)
        )
        if identity is not None:
            statement = statement.where(table.c.charging_station == identity)
        if is_open is not None:
            wanted = State.OPEN if is_open else State.ENDED
            statement = statement.where(table.c.state == wanted.value)
        async with self._db.read(organisation_id) as reader:
            rows = await reader.all(statement)
        found = [charging_transaction_document(row) for row in rows[:limit]]
        return _page(found, more=len(rows) > limit, key="id")

    async def commands(
        self, organisation_id: str, identity: str, *, after: str = "", limit: int = 100
    ) -> Page:
        """Commands to a station as they stand, newest first."""
        statement = (
            select(commands)
            .where(commands.c.organisation_id == organisation_id, commands.c.charging_station == identity)
            .where(*command_store.before(commands, after))
            .order_by(commands.c.created_at.desc(), commands.c.id.desc())
            .limit(limit + 1)
        )
        async with self._db.read(organisation_id) as reader:
            rows = await reader.all(statement)
        items = [command_store.document(row) for row in rows[:limit]]
        return Page(items=items, next=command_store.cursor(rows[limit - 1]) if len(rows) > limit else None)

    async def command(self, organisation_id: str, identity: str, command_id: str) -> Document | None:
        """One command to a station as it stands."""
        async with self._db.read(organisation_id) as reader:
            row = await reader.first(
                select(commands).where(command_store.of(organisation_id, identity, command_id))
            )
        return None if row is None else command_store.document(row)

    async def attempts(
        self,
        organisation_id: str,
        *,
        identity: str | None = None,
        status: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> Page:
        """Badges shown, newest first, in `[since, until)`; `before` is the last id seen."""
        table = authorisation_attempts
        conditions = [table.c.organisation_id == organisation_id]
        for column, value in ((table.c.charging_station, identity), (table.c.status, status)):
            if value is not None:
                conditions.append(column == value)
        if since is not None:
            conditions.append(table.c.at >= since)
        if until is not None:
            conditions.append(table.c.at < until)
        if before is not None:
            conditions.append(table.c.id < before)
        async with self._db.read(organisation_id) as reader:
            rows = await reader.all(
                select(table).where(*conditions).order_by(table.c.id.desc()).limit(limit + 1)
            )
        found = [_attempt_document(row) for row in rows[:limit]]
        return _page(found, more=len(rows) > limit, key="id")

    # --- badges --------------------------------------------------------------------------------------

    async def id_tokens(self, organisation_id: str, *, after: str = "", limit: int = 100) -> Page:
        """Badges and app tokens by their text."""
        table = id_tokens
        async with self._db.read(organisation_id) as reader:
            rows = await reader.all(
                select(table)
                .where(table.c.organisation_id == organisation_id, table.c.token_key > after.casefold())
                .order_by(table.c.token_key)
                .limit(limit + 1)
            )
        found = [_token_document(row) for row in rows[:limit]]
        return _page(found, more=len(rows) > limit, key="token")

    async def create_id_token(
        self,
        organisation_id: str,
        *,
        token: str,
        token_type: str,
        status: str,
        expires_at: datetime | None = None,
        parent: str | None = None,
        person_id: str | None = None,
    ) -> Document | Refused:
        """Add a badge; refused when the organisation already has it, whatever its case."""
        values = {
            "organisation_id": organisation_id,
            "token": token,
            "token_key": token.casefold(),
            "type": token_type,
            "status": status,
            "expires_at": expires_at,
            "parent": parent,
            "person_id": person_id,
        }

        async def unit(tx: Tx) -> Refused | None:
            table = id_tokens
            known = await tx.first(
                select(table.c.id).where(
                    table.c.organisation_id == organisation_id, table.c.token_key == token.casefold()
                )
            )
            if known is not None:
                return Refused("conflict", {"token": token})
            await tx.execute(insert(table).values(**values))
            tx.emit(IdTokensChanged(organisation_id=organisation_id))
            return None

        return await self._db.write(organisation_id, unit) or _token_document(values)


async def _refuse_registration(tx: Tx, organisation_id: str, station_id: str) -> Refused | None:
    place = await tx.first(
        select(stations.c.id).where(
            stations.c.organisation_id == organisation_id, stations.c.id == station_id
        )
    )
    return Refused("unknown_station", {"station": station_id}) if place is None else None


async def _open_by_evse(
    reader: Reader, organisation_id: str, identities: Sequence[str]
) -> dict[tuple[str, int], int]:
    """The newest open charging transaction of each EVSE."""
    table = charging_transactions
    rows = await reader.all(
        select(table.c.id, table.c.charging_station, table.c.evse_id)
        .where(
            table.c.organisation_id == organisation_id,
            table.c.charging_station.in_(identities),
            table.c.state == State.OPEN.value,
        )
        .order_by(table.c.id)
    )
    return {(row["charging_station"], row["evse_id"]): row["id"] for row in rows}


async def _local_lists(
    reader: Reader, organisation_id: str, identities: Sequence[str]
) -> dict[str, Document]:
    """How far the local authorisation list of each station is; nothing of one that was never spoken to."""
    table = local_lists
    rows = await reader.all(
        select(
            table.c.charging_station, table.c.state, table.c.version, table.c.entries, table.c.changed_at
        ).where(table.c.organisation_id == organisation_id, table.c.charging_station.in_(identities))
    )
    return {
        row["charging_station"]: {
            "state": row["state"],
            "version": row["version"],
            "entries": row["entries"],
            "changed_at": instant_text(row["changed_at"]),
        }
        for row in rows
    }


def _evse_document(row: Mapping[str, Any], charging_transaction_id: int | None) -> Document:
    return {
        "id": row["evse_id"],
        "kind": row["kind"],
        "phases": row["phases"],
        "max_a": row["max_a"],
        "min_a": row["min_a"],
        "status": row["status"],
        "status_at": instant_text(row["status_at"]),
        "error_code": row["error_code"],
        "power_w": row["power_w"],
        "power_at": instant_text(row["power_at"]),
        "current_a": row["current_a"],
        "soc_percent": row["soc_percent"],
        "charging_transaction": charging_transaction_id,
    }


def charging_transaction_document(row: Mapping[str, Any]) -> Document:
    """Write one charging transaction; `energy_wh` is None until two readings of the counter are known.

    `measured_wh` is what the registers say where a person settled another energy.
    """
    return {
        "id": row["id"],
        "ocpp_transaction_id": row["ocpp_transaction_id"],
        "charging_station": row["charging_station"],
        "evse_id": row["evse_id"],
        "id_token": row["id_token"],
        "person": row["person_id"],
        "booking": row["booking_id"],
        "vehicle": row["vehicle_id"],
        "started_at": instant_text(row["started_at"]),
        "stopped_at": instant_text(row["stopped_at"]),
        "meter_start_wh": row["meter_start_wh"],
        "meter_stop_wh": row["meter_stop_wh"],
        "meter_last_wh": row["meter_last_wh"],
        "measured_wh": row["measured_wh"],
        "energy_wh": row["energy_wh"],
        "stop_reason": row["stop_reason"],
        "presumed": row["presumed"],
        "settled": row["settled"],
        "charging_state": row["charging_state"],
        "state": row["state"],
        "review": row["review"],
    }


def _attempt_document(row: Mapping[str, Any]) -> Document:
    return {
        "id": row["id"],
        "at": instant_text(row["at"]),
        "charging_station": row["charging_station"],
        "evse_id": row["evse_id"],
        "purpose": row["purpose"],
        "token_hint": row["token_hint"],
        "status": row["status"],
        "person": row["person_id"],
        "booking": row["booking_id"],
    }


def _token_document(row: Mapping[str, Any]) -> Document:
    return {
        "token": row["token"],
        "type": row["type"],
        "status": row["status"],
        "person": row["person_id"],
        "parent": row["parent"],
        "expires_at": instant_text(row["expires_at"]),
    }


def _evse_row(organisation_id: str, identity: str, new: NewEvse) -> dict[str, Any]:
    return {
        "organisation_id": organisation_id,
        "charging_station": identity,
        "evse_id": new.id,
        "kind": new.kind,
        "phases": list(new.phases),
        "max_a": new.max_a,
        "min_a": new.min_a,
    }


def _page(items: list[Document], *, more: bool, key: str) -> Page:
    return Page(items=items, next=str(items[-1][key]) if more and items else None)
