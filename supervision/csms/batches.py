"""One command to many charging stations: a row each, sent a few at a time, a result per station."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from supervision import chance
from supervision.clock import Clock
from supervision.csms import command_store, parts
from supervision.csms.command_policy import policy_of, priority_of
from supervision.csms.command_store import (
    Document,
    Order,
    Row,
    fingerprint,
    insert_order,
)
from supervision.csms.commands import MAX_EXPIRY_S, CommandService, check
from supervision.csms.frame import Version
from supervision.csms.outbound import CommandState
from supervision.csms.store import Station
from supervision.kernel.errors import Refused
from supervision.store.db import Database, Reader, Tx
from supervision.store.schema import charging_stations, command_batches, commands, stations

BATCH_EXPIRY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """Which charging stations: those named, or all that fit; what is None fits all.

    `station_id` is the car-sharing station; vendor, model and firmware are as told at the last boot.
    """

    identities: Sequence[str] | None = None
    station_id: str | None = None
    vendor: str | None = None
    model: str | None = None
    firmware: str | None = None

    def fit(self, row: Row) -> bool:
        """Tell whether a charging station is meant."""
        boot = row["boot"] or {}
        wanted = {"vendor": self.vendor, "model": self.model, "firmware": self.firmware}
        return (
            (self.identities is None or row["identity"] in self.identities)
            and self.station_id in (None, row["station_id"])
            and all(value in (None, boot.get(name)) for name, value in wanted.items())
        )


# The version a station speaks, None before it ever connected -> action and payload for it.
Wanted = Callable[[str | None], tuple[str, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPage:
    """Part of a list, newest first; `next` is the cursor of the following part."""

    items: list[Document]
    next: str | None


class BatchService:
    """Batches are made in one transaction; the command service sends their rows as it has room for them."""

    def __init__(self, *, db: Database, clock: Clock, commands: CommandService) -> None:
        self._db = db
        self._clock = clock
        self._commands = commands

    async def create(
        self,
        organisation_id: str,
        targets: Targets,
        wanted: Wanted,
        *,
        expires_s: float = BATCH_EXPIRY_S,
        origin: str = "api",
        by_person_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Document | Refused:
        """Record a command for each target.

        Refused: `unknown_charging_station`, `unknown_station`, `no_charging_station` when nothing fits,
        `conflict` when the key belongs to another batch. The same batch under its key is answered again.
        """
        batch_id = chance.new_id()

        async def unit(tx: Tx) -> Refused | None:
            rows = await _meant(tx, organisation_id, targets)
            if isinstance(rows, Refused):
                return rows
            now = self._clock.now()
            lasts_s = min(max(expires_s, 1.0), MAX_EXPIRY_S)
            orders = [
                _order(row, wanted(row["ocpp"]), batch_id, lasts_s, origin, by_person_id) for row in rows
            ]
            values = {
                "id": batch_id,
                "organisation_id": organisation_id,
                "action": " / ".join(sorted({order.action for order in orders})),
                "created_at": now,
                "expires_at": now + timedelta(seconds=lasts_s),
                "origin": origin,
                "by_person_id": by_person_id,
                "idempotency_key": idempotency_key,
                "fingerprint": _fingerprint(targets, wanted),
            }
            await tx.execute(insert(command_batches).values(**values))
            for order in orders:
                if order.refusal is None:
                    await insert_order(tx, order, CommandState.QUEUED, now, due_at=now)
                else:
                    ended = {"finished_at": now, "payload": order.kept, "error": order.refusal}
                    await insert_order(tx, order, CommandState.REFUSED, now, **ended)
            return None

        try:
            refused = await self._db.write(organisation_id, unit)
        except IntegrityError:
            return await self._known(organisation_id, targets, wanted, idempotency_key)
        if refused is not None:
            return refused
        self._commands.ring()
        return await self.batch(organisation_id, batch_id) or _unknown(batch_id)

    async def batch(self, organisation_id: str, batch_id: str) -> Document | None:
        """Return a batch with the command of each station, by identity."""
        async with self._db.read(organisation_id) as reader:
            row = await command_store.batch_row(reader, organisation_id, batch_id)
            if row is None:
                return None
            counts = await command_store.counts_of(reader, organisation_id, [batch_id])
            rows = await reader.all(
                select(commands)
                .where(commands.c.organisation_id == organisation_id, commands.c.batch_id == batch_id)
                .order_by(commands.c.charging_station)
            )
        results = [command_store.document(command) for command in rows]
        return {**command_store.batch_document(row, counts[batch_id]), "commands": results}

    async def batches(self, organisation_id: str, *, after: str = "", limit: int = 100) -> BatchPage:
        """List batches without their commands, newest first."""
        table = command_batches
        statement = (
            select(table)
            .where(table.c.organisation_id == organisation_id)
            .where(*command_store.before(table, after))
            .order_by(table.c.created_at.desc(), table.c.id.desc())
            .limit(limit + 1)
        )
        async with self._db.read(organisation_id) as reader:
            rows = await reader.all(statement)
            shown = rows[:limit]
            counts = await command_store.counts_of(reader, organisation_id, [row["id"] for row in shown])
        items = [command_store.batch_document(row, counts[row["id"]]) for row in shown]
        more = len(rows) > limit
        return BatchPage(items=items, next=command_store.cursor(shown[-1]) if more else None)

    async def cancel(self, organisation_id: str, batch_id: str) -> Document | Refused:
        """Call off what was not sent of a batch; what is on its way goes on, what ended stays."""
        async with self._db.read(organisation_id) as reader:
            rows = await reader.all(
                select(commands.c.id, commands.c.charging_station).where(
                    commands.c.organisation_id == organisation_id,
                    commands.c.batch_id == batch_id,
                    commands.c.state == CommandState.QUEUED.value,
                )
            )
        for row in rows:
            await self._commands.cancel(organisation_id, row["charging_station"], row["id"])
        return await self.batch(organisation_id, batch_id) or _unknown(batch_id)

    async def _known(
        self, organisation_id: str, targets: Targets, wanted: Wanted, key: str | None
    ) -> Document | Refused:
        """Answer with the batch under the key, if it is the same one."""
        table = command_batches
        async with self._db.read(organisation_id) as reader:
            row = await reader.first(
                select(table).where(
                    table.c.organisation_id == organisation_id, table.c.idempotency_key == key
                )
            )
        if row is None or row["fingerprint"] != _fingerprint(targets, wanted):
            return Refused("conflict", {"idempotency_key": key})
        return await self.batch(organisation_id, row["id"]) or _unknown(row["id"])


async def _meant(reader: Reader, organisation_id: str, targets: Targets) -> list[dict[str, Any]] | Refused:
    """Return the rows of the charging stations that are meant, by identity."""
    table = charging_stations
    rows = await reader.all(
        select(table).where(table.c.organisation_id == organisation_id).order_by(table.c.identity)
    )
    missing = sorted(set(targets.identities or ()) - {row["identity"] for row in rows})
    if missing:
        return Refused("unknown_charging_station", {"charging_station": missing[0]})
    if targets.station_id is not None and not await _is_station(reader, organisation_id, targets.station_id):
        return Refused("unknown_station", {"station": targets.station_id})
    meant = [row for row in rows if targets.fit(row)]
    return meant or Refused("no_charging_station")


async def _is_station(reader: Reader, organisation_id: str, station_id: str) -> bool:
    found = await reader.first(
        select(stations.c.id).where(
            stations.c.organisation_id == organisation_id, stations.c.id == station_id
        )
    )
    return found is not None


def _order(
    row: Row,
    wanted: tuple[str, Mapping[str, Any]],
    batch_id: str,
    lasts_s: float,
    origin: str,
    by_person_id: str | None,
) -> Order:
    action, payload = wanted
    version = Version.numbered(row["ocpp"])
    return Order(
        id=chance.new_id(),
        station=Station(
            identity=row["identity"], organisation_id=row["organisation_id"], station_id=row["station_id"]
        ),
        version=version,
        action=action,
        payload=payload,
        priority=priority_of(action, bulk=True),
        lasts_s=lasts_s,
        answer_s=policy_of(action).answer_s,
        tries=0,
        tries_allowed=command_store.tries_for(action, payload),
        origin=origin,
        by_person_id=by_person_id,
        refusal=check(version, action, payload),
        items=parts.limit_of(action, row["capabilities"] or {}),
        batch_id=batch_id,
    )


def _fingerprint(targets: Targets, wanted: Wanted) -> str:
    """Of what was asked for; whom it means may change with every station that is registered."""
    meant = {**asdict(targets), "identities": sorted(set(targets.identities or ()))}
    return fingerprint(
        "batch", [meant, [wanted(spoken) for spoken in (None, *(one.number for one in Version))]]
    )


def _unknown(batch_id: str) -> Refused:
    return Refused("unknown_batch", {"batch": batch_id})
