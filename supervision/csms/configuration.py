"""Brings stations to the settings wished for: read, compare, write what differs, read again.

After a boot, after a changed wish, when an operator asks, and once a day only to look. `Accepted` is not
believed before the new value was read. What is due stands in a table, so a restart in the middle only begins
again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select, update

from supervision.clock import Clock
from supervision.csms import desired
from supervision.csms.authorising import master_pass_group
from supervision.csms.commands import CommandResult, CommandService, CommandState
from supervision.csms.desired import ConfigurationState, Found, Item, ItemState, StationKind, Wish
from supervision.csms.directory import Document
from supervision.csms.holding import Registration
from supervision.csms.registry import Registry
from supervision.csms.standard_settings import STANDARD, master_pass
from supervision.csms.triggering import asked_lately, may_ask
from supervision.kernel.errors import Refused
from supervision.kernel.events import ChargingStationBooted
from supervision.kernel.timespan import instant_text
from supervision.store.db import Database, Reader, Tx, across_tenants
from supervision.store.outbox import Consumer, Delivery
from supervision.store.schema import charging_stations, desired_settings, station_configurations

ORIGIN = "configuration"
PATIENCE_S = 20.0
AT_ONCE = 20
LOOK_EVERY = timedelta(hours=24)
SHORTEST_PAUSE = timedelta(minutes=5)
LONGEST_PAUSE = timedelta(hours=24)
_DUE = across_tenants("stations of every organisation may be due; each row carries its own")

Row = Mapping[str, Any]


_OF_A_REQUEST = frozenset({"due_at", "writes", "failures"})


class _SilentError(Exception):
    """The station did not answer; the rest can wait."""


@dataclass(frozen=True, kw_only=True)
class _Talk:
    """One conversation with one station."""

    organisation_id: str
    kind: StationKind
    read_items: int = 1
    write_items: int = 1


class ConfigurationService:
    """One instance per process."""

    def __init__(self, *, db: Database, clock: Clock, commands: CommandService, registry: Registry) -> None:
        self._db = db
        self._clock = clock
        self._commands = commands
        self._registry = registry

    def consumer(self) -> Consumer:
        """Listen to boots."""
        return Consumer("configuration", (ChargingStationBooted,), self._handle)

    async def _handle(self, delivery: Delivery) -> None:
        event = delivery.event
        if isinstance(event, ChargingStationBooted) and await self._in_force(event.organisation_id):
            await self.request(event.organisation_id, event.charging_station)

    # --- wishes ---------------------------------------------------------------------------------------------

    async def wishes(self, organisation_id: str) -> list[Document]:
        """Return the wishes of an organisation, by version, name and precision."""
        async with self._db.read(organisation_id) as reader:
            rows = await _wish_rows(reader, organisation_id)
        return [_wish_document(row) for row in rows]

    async def _in_force(self, organisation_id: str) -> list[Wish]:
        async with self._db.read(organisation_id) as reader:
            return await _wishes(reader, organisation_id)

    async def wish(
        self, organisation_id: str, wish: Wish, *, by_person_id: str | None = None
    ) -> Document | Refused:
        """Keep a wish, in place of one for the same setting of the same stations; stations follow at once."""
        refused = _refuse(wish)
        if refused is not None:
            return refused

        async def unit(tx: Tx) -> Document:
            await tx.execute(delete(desired_settings).where(*_same_place(organisation_id, wish)))
            await tx.execute(
                insert(desired_settings).values(**self._wish_row(organisation_id, wish, by_person_id))
            )
            row = await tx.first(select(desired_settings).where(*_same_place(organisation_id, wish)))
            await self._ask_all(tx, organisation_id)
            return _wish_document(row or {})

        return await self._db.write(organisation_id, unit)

    async def forget(self, organisation_id: str, wish_id: int) -> Refused | None:
        """Drop a wish; stations keep the value they have."""
        table = desired_settings

        async def unit(tx: Tx) -> int:
            gone = await tx.execute(
                delete(table).where(table.c.organisation_id == organisation_id, table.c.id == wish_id)
            )
            await self._ask_all(tx, organisation_id)
            return gone

        gone = await self._db.write(organisation_id, unit)
        return None if gone else Refused("unknown_setting", {"setting": wish_id})

    async def take_standard(self, organisation_id: str, *, by_person_id: str | None = None) -> int:
        """Make the standard set the organisation's own, where it has no wish for all stations yet."""

        async def unit(tx: Tx) -> int:
            taken = 0
            for wish in STANDARD:
                place = _same_place(organisation_id, wish)
                if await tx.first(select(desired_settings.c.id).where(*place)) is None:
                    row = self._wish_row(organisation_id, wish, by_person_id)
                    await tx.execute(insert(desired_settings).values(**row))
                    taken += 1
            if taken:
                await self._ask_all(tx, organisation_id)
            return taken

        return await self._db.write(organisation_id, unit)

    def _wish_row(self, organisation_id: str, wish: Wish, by_person_id: str | None) -> dict[str, Any]:
        fields = ("ocpp", "name", "value", "reason", "vendor", "model", "firmware", "charging_station")
        return {
            "organisation_id": organisation_id,
            **{name: getattr(wish, name) for name in fields},
            "by_person_id": by_person_id,
            "changed_at": self._clock.now(),
        }

    # --- what is due ----------------------------------------------------------------------------------------

    async def request(self, organisation_id: str, identity: str) -> Refused | None:
        """Bring one station to its wishes as soon as it can be reached."""

        async def unit(tx: Tx) -> bool:
            known = await _kind(tx, organisation_id, identity)
            if known is not None:
                await ask(tx, self._db, organisation_id, identity, self._clock.now())
            return known is not None

        known = await self._db.write(organisation_id, unit)
        return None if known else Refused("unknown_charging_station", {"charging_station": identity})

    async def _ask_all(self, tx: Tx, organisation_id: str) -> None:
        table = charging_stations
        rows = await tx.all(select(table.c.identity).where(table.c.organisation_id == organisation_id))
        for row in rows:
            await ask(tx, self._db, organisation_id, row["identity"], self._clock.now())

    async def serve_due(self) -> None:
        """Talk to the connected stations that are due, some at once."""
        table = station_configurations
        async with self._db.read(_DUE) as reader:
            rows = await reader.all(
                select(table.c.organisation_id, table.c.charging_station)
                .where(table.c.due_at <= self._clock.now())
                .order_by(table.c.due_at)
            )
        here = [row for row in rows if self._registry.connected(row["charging_station"])]
        turn = asyncio.Semaphore(AT_ONCE)

        async def one(row: Row) -> None:
            async with turn:
                await self.serve(row["organisation_id"], row["charging_station"])

        async with asyncio.TaskGroup() as group:
            for row in here:
                group.create_task(one(row), name=f"configuration {row['charging_station']}")

    async def serve(self, organisation_id: str, identity: str) -> None:
        """Read, compare, write what differs when that is due, read again, keep what was found."""
        async with self._db.read(organisation_id) as reader:
            kind = await _kind(reader, organisation_id, identity)
            own = await _wishes(reader, organisation_id)
            row = await _configuration_row(reader, organisation_id, identity)
        if kind is None or row is None or kind.ocpp not in desired.VERSIONS:
            return
        wishes = desired.resolve(own, kind)
        before = {item.name: item for item in map(item_from, row["items"])}
        try:
            items = await self._converse(
                _Talk(organisation_id=organisation_id, kind=kind), wishes, before, writes=row["writes"]
            )
        except _SilentError:
            await self._put_off(organisation_id, identity, row)
            return
        await self._keep(organisation_id, identity, row, items)

    async def _put_off(self, organisation_id: str, identity: str, row: Row) -> None:
        pause = min(SHORTEST_PAUSE * int(2 ** min(row["failures"], 12)), LONGEST_PAUSE)
        values = {"due_at": self._clock.now() + pause, "failures": row["failures"] + 1}
        await self._save(organisation_id, identity, row, values)

    async def _keep(self, organisation_id: str, identity: str, row: Row, items: Sequence[Item]) -> None:
        now = self._clock.now()
        values: dict[str, Any] = {
            "state": desired.overall(items).value,
            "items": [item_to(item) for item in items],
            "checked_at": now,
            "due_at": now + LOOK_EVERY,
            "writes": False,
            "failures": 0,
        }
        await self._save(organisation_id, identity, row, values)
        await self._let_in(organisation_id, identity, values["state"])

    async def _let_in(self, organisation_id: str, identity: str, state: str) -> None:
        """A station that was held until its settings are right need not wait to boot again."""
        connection = self._registry.get(identity)
        held = connection is not None and connection.held is Registration.PENDING
        if not held or state != ConfigurationState.IN_SYNC.value:
            return
        now = self._clock.now()
        async with self._db.read(organisation_id) as reader:
            earlier = await asked_lately(reader, organisation_id, identity, now)
        if may_ask(earlier, "BootNotification", now):
            payload = {"requestedMessage": "BootNotification"}
            await self._commands.enqueue(organisation_id, identity, "TriggerMessage", payload, origin=ORIGIN)

    async def _save(self, organisation_id: str, identity: str, row: Row, values: dict[str, Any]) -> None:
        """Keep what was found; a request that came meanwhile stays due."""
        table = station_configurations

        async def unit(tx: Tx) -> None:
            now = await _configuration_row(tx, organisation_id, identity)
            asked = now is not None and now["due_at"] != row["due_at"]
            found = {name: value for name, value in values.items() if not asked or name not in _OF_A_REQUEST}
            if found:
                await tx.execute(
                    update(table)
                    .where(table.c.organisation_id == organisation_id, table.c.charging_station == identity)
                    .values(**found)
                )

        await self._db.write(organisation_id, unit)

    # --- one conversation -----------------------------------------------------------------------------------

    async def _converse(
        self, talk: _Talk, wishes: Sequence[Wish], before: Mapping[str, Item], *, writes: bool
    ) -> list[Item]:
        if not wishes:
            return []
        talk = await self._limits(talk)
        found = await self._read(talk, [wish.name for wish in wishes])
        items = {
            wish.name: desired.judge(wish, found.get(wish.name), before.get(wish.name)) for wish in wishes
        }
        if not writes:
            return [desired.looked_at(item, before.get(item.name)) for item in items.values()]
        differing = [item for item in items.values() if item.state is ItemState.DIFFERS]
        if differing:
            for item in await self._write(talk, differing):
                items[item.name] = item
        return list(items.values())

    async def _limits(self, talk: _Talk) -> _Talk:
        names = [
            table[talk.kind.ocpp]
            for table in (desired.READ_LIMIT, desired.WRITE_LIMIT)
            if talk.kind.ocpp in table
        ]
        found = await self._read(replace(talk, read_items=len(names)), names)
        writes = desired.WRITE_LIMIT.get(talk.kind.ocpp)
        return replace(
            talk,
            read_items=desired.limit_in(found.get(desired.READ_LIMIT[talk.kind.ocpp])),
            write_items=1 if writes is None else desired.limit_in(found.get(writes)),
        )

    async def _read(self, talk: _Talk, names: Sequence[str]) -> dict[str, Found]:
        found: dict[str, Found] = {}
        for start in range(0, len(names), talk.read_items):
            part = names[start : start + talk.read_items]
            response = await self._call(talk, *desired.read_call(talk.kind.ocpp, part))
            found |= desired.read_result(talk.kind.ocpp, part, response)
        return found

    async def _write(self, talk: _Talk, items: Sequence[Item]) -> list[Item]:
        """Set what differs, then read it again: only the value read counts.

        A list that is refused as a whole is offered member by member.
        """
        asked = {item.name: item.wanted for item in items}
        states = await self._set(talk, asked)
        for name, wanted in list(asked.items()):
            if states[name] is ItemState.REFUSED and (members := desired.list_members(wanted)):
                asked[name], states[name] = await self._offer(talk, name, members)
        taken = [name for name, state in states.items() if state in (ItemState.OK, ItemState.REBOOT_REQUIRED)]
        found = await self._read(talk, taken)
        return [_after_writing(item, asked[item.name], states[item.name], found) for item in items]

    async def _offer(self, talk: _Talk, name: str, members: Sequence[str]) -> tuple[str, ItemState]:
        """Try each member beside those already taken; what was accepted last is the longest list that is."""
        taken, state = "", ItemState.REFUSED
        for member in members:
            longer = f"{taken},{member}" if taken else member
            told = (await self._set(talk, {name: longer}))[name]
            if told in (ItemState.OK, ItemState.REBOOT_REQUIRED):
                taken, state = longer, told
        return taken, state

    async def _set(self, talk: _Talk, values: Mapping[str, str]) -> dict[str, ItemState]:
        states: dict[str, ItemState] = {}
        pairs = list(values.items())
        for start in range(0, len(pairs), talk.write_items):
            part = pairs[start : start + talk.write_items]
            response = await self._call(talk, *desired.write_call(talk.kind.ocpp, part))
            states |= desired.write_result(talk.kind.ocpp, [name for name, _ in part], response)
        return states

    async def _call(self, talk: _Talk, action: str, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the answer; a CALLERROR is an empty one, silence ends the conversation."""
        result = await self._commands.send(
            talk.organisation_id, talk.kind.identity, action, payload, timeout_s=PATIENCE_S, origin=ORIGIN
        )
        if not isinstance(result, CommandResult) or result.state in (
            CommandState.TIMEOUT,
            CommandState.OFFLINE,
        ):
            raise _SilentError
        return result.response or {}

    # --- reports --------------------------------------------------------------------------------------------

    async def report(self, organisation_id: str, identity: str) -> Document:
        """What was found at the last look; `waiting` before the first."""
        async with self._db.read(organisation_id) as reader:
            row = await _configuration_row(reader, organisation_id, identity)
        if row is None:
            return {"charging_station": identity, "state": "waiting", "checked_at": None, "items": []}
        return _report_document(row)

    async def drifting(self, organisation_id: str) -> list[Document]:
        """Reports of the stations that are not as wished."""
        table = station_configurations
        words = (ConfigurationState.DRIFT.value, ConfigurationState.REBOOT_REQUIRED.value)
        async with self._db.read(organisation_id) as reader:
            rows = await reader.all(
                select(table)
                .where(table.c.organisation_id == organisation_id, table.c.state.in_(words))
                .order_by(table.c.charging_station)
            )
        return [_report_document(row) for row in rows]


async def ask(tx: Tx, db: Database, organisation_id: str, identity: str, now: datetime) -> None:
    """Make a station due: read, and write what differs, as soon as it can be reached."""
    table = station_configurations
    due = {"due_at": now, "writes": True, "failures": 0}
    statement = db.insert(table).values(
        charging_station=identity,
        organisation_id=organisation_id,
        state=ConfigurationState.WAITING.value,
        items=[],
        **due,
    )
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=[table.c.charging_station],
            set_=due,
            where=table.c.organisation_id == organisation_id,
        )
    )


def _after_writing(item: Item, asked: str, state: ItemState, found: Mapping[str, Found]) -> Item:
    """What became of one setting: what the station said, held against what it says now."""
    read = found.get(item.name)
    value = read.value if read is not None else item.found
    if state is ItemState.OK and desired.same_value(item.wanted, value):
        return replace(item, found=value, state=ItemState.OK, tried=None)
    if state is ItemState.OK and desired.same_value(asked, value):
        return replace(item, found=value, state=ItemState.PARTLY, tried=asked)
    return replace(item, found=value, state=ItemState.IGNORED if state is ItemState.OK else state)


def _refuse(wish: Wish) -> Refused | None:
    if wish.ocpp not in desired.VERSIONS or not desired.is_name(wish.ocpp, wish.name):
        return Refused("bad_setting_name", {"name": wish.name})
    if desired.is_secret(wish.name):
        return Refused("secret_setting", {"name": wish.name})
    if len(wish.value or "") > desired.LONGEST_VALUE[wish.ocpp]:
        return Refused("setting_too_long", {"name": wish.name, "max": desired.LONGEST_VALUE[wish.ocpp]})
    return None


# --- rows -----------------------------------------------------------------------------------------------


def _same_place(organisation_id: str, wish: Wish) -> list[Any]:
    """The conditions of a wish for the same setting of the same stations."""
    table = desired_settings
    scope = [
        table.c[name].is_(None) if value is None else table.c[name] == value
        for name, value in (
            ("vendor", wish.vendor),
            ("model", wish.model),
            ("firmware", wish.firmware),
            ("charging_station", wish.charging_station),
        )
    ]
    return [
        table.c.organisation_id == organisation_id,
        table.c.ocpp == wish.ocpp,
        table.c.name == wish.name,
        *scope,
    ]


async def _wishes(reader: Reader, organisation_id: str) -> list[Wish]:
    """What is wished for, the least binding first: a wish written by hand stands over one that follows."""
    group = await master_pass_group(reader, organisation_id)
    rows = await _wish_rows(reader, organisation_id)
    return [*([master_pass(group)] if group else []), *map(_wish_from, rows)]


async def _wish_rows(reader: Reader, organisation_id: str) -> list[dict[str, Any]]:
    table = desired_settings
    return await reader.all(
        select(table)
        .where(table.c.organisation_id == organisation_id)
        .order_by(table.c.ocpp, table.c.name, table.c.id)
    )


def _wish_from(row: Row) -> Wish:
    fields = ("ocpp", "name", "value", "reason", "vendor", "model", "firmware", "charging_station")
    return Wish(**{name: row[name] for name in fields})


def _wish_document(row: Row) -> Document:
    fields = ("id", "ocpp", "name", "value", "reason", "vendor", "model", "firmware", "charging_station")
    return {
        **{name: row[name] for name in fields},
        "organisation": row["organisation_id"],
        "changed_at": instant_text(row["changed_at"]),
    }


async def _kind(reader: Reader, organisation_id: str, identity: str) -> StationKind | None:
    table = charging_stations
    row = await reader.first(
        select(table.c.ocpp, table.c.boot).where(
            table.c.organisation_id == organisation_id, table.c.identity == identity
        )
    )
    if row is None:
        return None
    boot = row["boot"] or {}
    return StationKind(
        identity=identity,
        ocpp=row["ocpp"] or "",
        **{name: boot.get(name, "") for name in ("vendor", "model", "firmware")},
    )


async def _configuration_row(reader: Reader, organisation_id: str, identity: str) -> dict[str, Any] | None:
    table = station_configurations
    return await reader.first(
        select(table).where(table.c.organisation_id == organisation_id, table.c.charging_station == identity)
    )


def _report_document(row: Row) -> Document:
    return {
        "charging_station": row["charging_station"],
        "state": row["state"],
        "checked_at": instant_text(row["checked_at"]),
        "items": [
            {name: item[name] for name in ("name", "wanted", "found", "state", "reason")}
            for item in row["items"]
        ],
    }


def item_to(item: Item) -> dict[str, Any]:
    """Write an item as JSON."""
    names = ("name", "wanted", "found", "state", "reason", "tried")
    return {name: getattr(item, name) for name in names}


def item_from(document: Mapping[str, Any]) -> Item:
    """Read what `item_to` wrote."""
    return Item(**{**document, "state": ItemState(document["state"])})
