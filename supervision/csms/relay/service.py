"""What an administrator does about a second backend, and what is told of it. Passwords go in, never out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select, update

from supervision.clock import Clock
from supervision.csms.directory import Page
from supervision.csms.relay import records
from supervision.csms.relay.model import Owner, Relay
from supervision.csms.relay.sealing import Sealer
from supervision.csms.relay.target import is_identity, named_hosts, read_target, refuse_target
from supervision.kernel.errors import Refused
from supervision.kernel.timespan import format_instant, instant_text
from supervision.store.db import Database, Reader, Tx, across_tenants
from supervision.store.schema import audit_entries, charging_stations, relay_answers, relays

Document = dict[str, Any]
Row = Mapping[str, Any]

LONGEST_PASSWORD = 100
LONGEST_CHARGE = timedelta(days=7)  # a car that stands plugged in over the holidays
_FRESH: Document = {"tries": 0, "connected_at": None, "error": None, "error_at": None}
_RETENTION = across_tenants("answers older than their time go, whoever they belong to")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A second backend as an administrator wants it.

    `identity` None is the station's own. `password` None keeps what there is, an empty one removes it.
    """

    url: str
    owner: Owner = Owner.HERE
    identity: str | None = None
    password: str | None = field(default=None, repr=False)


class RelayService:
    """One instance per process; `changed` wakes whoever runs the relays."""

    def __init__(self, *, db: Database, clock: Clock, sealer: Sealer, hosts: str) -> None:
        self._db = db
        self._clock = clock
        self._sealer = sealer
        self._hosts = named_hosts(hosts)
        self.changed = asyncio.Event()

    @property
    def hosts(self) -> list[str]:
        """The hosts the operator of the server lets relays call; none: the feature is off."""
        return sorted(self._hosts)

    def refuse(self, url: str) -> Refused | None:
        """Return why nobody may be called there; asked when it is saved and again at each dial."""
        return refuse_target(url, self._hosts)

    def password(self, relay: Relay) -> str | None:
        """Return the password to say; None when it cannot be opened any more."""
        if relay.password_sealed is None:
            return ""
        return self._sealer.open(
            relay.password_sealed, place=_place(relay.organisation_id, relay.charging_station)
        )

    async def document(self, organisation_id: str, identity: str) -> Document | Refused:
        """Return the second backend of a station and how it stands; `relay` is None without one."""
        async with self._db.read(organisation_id) as reader:
            if await _station_id(reader, organisation_id, identity) is None:
                return _unknown(identity)
            row = await reader.first(select(relays).where(records.of(organisation_id, identity)))
            waiting = 0 if row is None else await records.waiting(reader, row)
        return {
            "charging_station": identity,
            "hosts": self.hosts,
            "relay": None if row is None else _document(row, waiting),
        }

    async def save(
        self, organisation_id: str, identity: str, wish: Wish, *, by_person_id: str
    ) -> Document | Refused:
        """Set up a second backend or change it. A changed address is the same backend, moved.

        Refused: `unknown_charging_station`, `relay_off`, `relay_url`, `relay_host`, `relay_identity`,
        `relay_password`.
        """
        known_as = wish.identity or identity
        refused = self.refuse(wish.url) or _refuse_names(known_as, wish.password)
        target = read_target(wish.url)
        if refused is not None or target is None:
            return refused or Refused("relay_url")
        values: Document = {
            "url": target.url,
            "identity": known_as,
            "owner": wish.owner.value,
            "changed_at": self._clock.now(),
            **self._sealed(organisation_id, identity, wish.password),
        }

        async def unit(tx: Tx) -> bool:
            station_id = await _station_id(tx, organisation_id, identity)
            if station_id is None:
                return False
            mine = records.of(organisation_id, identity)
            if not await tx.execute(update(relays).where(mine).values(**_FRESH, **values)):
                await self._insert(tx, organisation_id, identity, values)
            await self._audit(tx, organisation_id, identity, "relay_saved", by_person_id, _told(values))
            tx.touch(f"station:{station_id}")
            return True

        if not await self._db.write(organisation_id, unit):
            return _unknown(identity)
        self.changed.set()
        return await self.document(organisation_id, identity)

    async def remove(self, organisation_id: str, identity: str, *, by_person_id: str) -> Document | Refused:
        """End a relay: what was not passed on stays here alone. Refused: `unknown_relay`."""

        async def unit(tx: Tx) -> bool:
            if not await records.forget_relay(tx, organisation_id, identity):
                return False
            await self._audit(tx, organisation_id, identity, "relay_removed", by_person_id, {})
            return True

        if not await self._db.write(organisation_id, unit):
            return Refused("unknown_relay", {"charging_station": identity})
        self.changed.set()
        return await self.document(organisation_id, identity)

    async def answers(
        self, organisation_id: str, identity: str, *, before: int | None = None, limit: int = 100
    ) -> Page:
        """What the second backend has answered, newest first; answers that say nothing are not kept."""
        async with self._db.read(organisation_id) as reader:
            rows = await records.newest_answers(
                reader, organisation_id, identity, before=before, limit=limit + 1
            )
        items = [_answer(row) for row in rows[:limit]]
        return Page(items=items, next=str(items[-1]["id"]) if len(rows) > limit else None)

    async def forget_before(self, instant: datetime) -> int:
        """Drop answers older than `instant`; return how many they were."""

        async def unit(tx: Tx) -> int:
            return await tx.execute(delete(relay_answers).where(relay_answers.c.at < instant))

        return await self._db.write(_RETENTION, unit)

    # --- inside -----------------------------------------------------------------------------------------

    def _sealed(self, organisation_id: str, identity: str, password: str | None) -> Document:
        if password is None:
            return {}
        place = _place(organisation_id, identity)
        return {"password_sealed": self._sealer.seal(password, place=place) if password else None}

    async def _insert(self, tx: Tx, organisation_id: str, identity: str, values: Document) -> None:
        since = values["changed_at"] - LONGEST_CHARGE
        begin = await records.beginning(tx, organisation_id, identity, since=since)
        await tx.execute(
            insert(relays).values(
                organisation_id=organisation_id,
                charging_station=identity,
                made_at=values["changed_at"],
                after_frame=begin,
                **_FRESH,
                delivered=0,
                refused=0,
                lost=0,
                own_answers=0,
                **values,
            )
        )

    async def _audit(
        self,
        tx: Tx,
        organisation_id: str,
        identity: str,
        action: str,
        by_person_id: str,
        details: Document,
    ) -> None:
        await tx.execute(
            insert(audit_entries).values(
                organisation_id=organisation_id,
                at=self._clock.now(),
                person_id=by_person_id,
                action=action,
                subject=identity,
                details=details,
            )
        )


def _place(organisation_id: str, identity: str) -> str:
    return f"{organisation_id}|{identity}"


async def _station_id(reader: Reader, organisation_id: str, identity: str) -> str | None:
    table = charging_stations
    found: str | None = await reader.scalar(
        select(table.c.station_id).where(
            table.c.organisation_id == organisation_id, table.c.identity == identity
        )
    )
    return found


def _unknown(identity: str) -> Refused:
    return Refused("unknown_charging_station", {"charging_station": identity})


def _refuse_names(identity: str, password: str | None) -> Refused | None:
    if not is_identity(identity):
        return Refused("relay_identity")
    if password and (len(password) > LONGEST_PASSWORD or not password.isprintable()):
        return Refused("relay_password", {"longest": LONGEST_PASSWORD})
    return None


def _told(values: Document) -> Document:
    """What the audit keeps: that a password was given, never which."""
    told: Document = {name: values[name] for name in ("url", "identity", "owner")}
    if "password_sealed" in values:
        told["password"] = "removed" if values["password_sealed"] is None else "given"
    return told


def _document(row: Row, waiting: int) -> Document:
    return {
        "url": row["url"],
        "identity": row["identity"],
        "password_set": row["password_sealed"] is not None,
        "owner": row["owner"],
        "made_at": format_instant(row["made_at"]),
        "changed_at": format_instant(row["changed_at"]),
        "connected_at": instant_text(row["connected_at"]),
        "error": row["error"],
        "error_at": instant_text(row["error_at"]),
        "waiting": waiting,
        "delivered": row["delivered"],
        "refused": row["refused"],
        "lost": row["lost"],
        "own_answers": row["own_answers"],
    }


def _answer(row: Row) -> Document:
    return {
        "id": row["id"],
        "frame_id": row["frame_id"],
        "at": format_instant(row["at"]),
        "answer": row["answer"],
    }
