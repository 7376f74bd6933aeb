"""Keeps every station's local authorisation list as it should be, one message at a time.

What happened (a boot, a changed badge, a finished command) only rings; each time the store is asked what is
wanted, what the station holds and whether a message is still on its way. A sweep rings for everybody, so that
a lost event, an expired badge or a person who left costs minutes, not a wrong list for ever.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import insert, or_, select, update

from supervision.accounts import store as accounts
from supervision.accounts.model import RoleName
from supervision.clock import Clock
from supervision.csms import local_list
from supervision.csms.authorising import STAFF
from supervision.csms.commands import CommandResult, CommandService, CommandState
from supervision.csms.local_list import AskLimits, AskVersion, Entry, Known, Limits, ListState, Send, Step
from supervision.csms.registry import Registry
from supervision.fleet import store as fleet
from supervision.kernel.errors import Refused
from supervision.kernel.events import (
    ChargingStationBooted,
    ChargingStationEvent,
    CommandFinished,
    Event,
    IdTokensChanged,
)
from supervision.kernel.timespan import instant_text, parse_instant
from supervision.store.db import Database, Reader, Tx
from supervision.store.outbox import Consumer, Delivery
from supervision.store.schema import (
    charging_stations,
    commands,
    id_tokens,
    local_lists,
    people,
    roles,
)

ORIGIN = "local_list"
PATIENCE_S = 120
QUESTIONS: Mapping[type[Step], str] = {AskLimits: "limits", AskVersion: "version"}
_OPEN = frozenset({CommandState.QUEUED, CommandState.SENT})

Row = Mapping[str, Any]


class LocalListService:
    """One instance per process."""

    def __init__(self, *, db: Database, clock: Clock, commands: CommandService, registry: Registry) -> None:
        self._db = db
        self._clock = clock
        self._commands = commands
        self._registry = registry
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def consumer(self) -> Consumer:
        """Listen to what may change a list or what is known of it."""
        wanted = (ChargingStationBooted, IdTokensChanged, CommandFinished)
        return Consumer("local-lists", wanted, self._handle)

    async def sweep(self) -> None:
        """Look after every connected station whose list is not as wanted."""
        for organisation_id in {connection.station.organisation_id for connection in self._registry}:
            for identity in await self._needy(organisation_id):
                await self.advance(organisation_id, identity)

    async def advance(self, organisation_id: str, identity: str) -> None:
        """Take in what came back, send what is next; does nothing while a message is on its way."""
        async with self._turns[identity]:
            await self._advance(organisation_id, identity)

    # --- events ---------------------------------------------------------------------------------------------

    async def _handle(self, delivery: Delivery) -> None:
        event = delivery.event
        match event:
            case ChargingStationBooted():
                await self._note(event, booted=True)
            case CommandFinished() if event.action == "SendLocalList":
                await self._note(event, booted=False)
            case CommandFinished() if event.action == "CustomerInformation":
                await self._note_cleared(event)
        for identity in await self._concerned(event):
            await self.advance(event.organisation_id, identity)

    async def _concerned(self, event: Event) -> list[str]:
        if isinstance(event, ChargingStationEvent):
            return [event.charging_station]
        return await self._needy(event.organisation_id)

    async def _needy(self, organisation_id: str) -> list[str]:
        """Connected stations of an organisation with something to do, found without asking for each."""
        here = [one for one in self._registry if one.station.organisation_id == organisation_id]
        now, table = self._clock.now(), local_lists
        async with self._db.read(organisation_id) as reader:
            rows = await reader.all(select(table).where(table.c.organisation_id == organisation_id))
            places = {connection.station.station_id for connection in here}
            wanted = {
                place: await wanted_entries(reader, organisation_id, place, now) for place in sorted(places)
            }
        by_identity = {row["charging_station"]: row for row in rows}
        return [
            connection.station.identity
            for connection in here
            if _has_work(
                by_identity.get(connection.station.identity),
                connection.version.number,
                wanted[connection.station.station_id],
                now,
            )
        ]

    async def _note(self, event: ChargingStationEvent, *, booted: bool) -> None:
        """After a boot ask again; a list that somebody else sent makes what we knew worthless."""

        async def unit(tx: Tx) -> None:
            row = await _row(tx, event.organisation_id, event.charging_station)
            if row is None:
                return
            known = known_from(row["known"])
            if booted:
                await _save(tx, event, known=known_to(local_list.booted(known)))
                return
            command = await _command(tx, event)
            if command is not None and command["origin"] != ORIGIN:
                await _save(tx, event, known=known_to(local_list.changed_by_others(known)))

        async with self._turns[event.charging_station]:
            await self._db.write(event.organisation_id, unit)

    async def _note_cleared(self, event: CommandFinished) -> None:
        """A customer whose data the station forgot leaves its list too (2.0.1 N09, N10)."""

        async def unit(tx: Tx) -> None:
            command = await _command(tx, event)
            token = _cleared_token(command)
            row = await _row(tx, event.organisation_id, event.charging_station)
            if token is None or row is None:
                return
            excluded = sorted({*row["excluded"], token.casefold()})
            await _save(tx, event, excluded=excluded)

        await self._db.write(event.organisation_id, unit)

    # --- one station ----------------------------------------------------------------------------------------

    async def _advance(self, organisation_id: str, identity: str) -> None:
        async with self._db.read(organisation_id) as reader:
            station = await _station(reader, organisation_id, identity)
            row = await _row(reader, organisation_id, identity)
        if station is None or station["ocpp"] not in ("1.6", "2.0.1"):
            return
        if row is None:
            row = await self._begin(organisation_id, identity)
        known = known_from(row["known"])
        if row["command_id"] is not None:
            result = await self._commands.result(organisation_id, row["command_id"])
            if result is not None and result.state in _OPEN:
                return
            known = absorb(known, row, result, station["ocpp"], self._clock.now())
        await self._next(organisation_id, station, row, known)

    async def _begin(self, organisation_id: str, identity: str) -> Row:
        values: dict[str, Any] = {
            "charging_station": identity,
            "organisation_id": organisation_id,
            "state": ListState.WAITING.value,
            "known": known_to(Known()),
            "excluded": [],
            "command_id": None,
            "sent": None,
            "entries": 0,
            "version": 0,
            "changed_at": self._clock.now(),
        }

        async def unit(tx: Tx) -> None:
            await tx.execute(insert(local_lists).values(**values))

        await self._db.write(organisation_id, unit)
        return values

    async def _next(self, organisation_id: str, station: Row, row: Row, known: Known) -> None:
        version, identity = station["ocpp"], row["charging_station"]
        async with self._db.read(organisation_id) as reader:
            wanted = await wanted_entries(reader, organisation_id, station["station_id"], self._clock.now())
        step = local_list.next_step(known, _fitting(row, version, wanted), self._clock.now())
        state, command_id, sent = _resting_state(step), None, None
        if state is None:
            state = ListState.WAITING if known.held is None else ListState.SENDING
            if self._registry.connected(identity):
                command_id = await self._send(organisation_id, identity, version, step)
                sent = sent_to(step)
                state = ListState.SENDING
        values = {
            "state": state.value,
            "known": known_to(known),
            "command_id": command_id,
            "sent": sent,
            "entries": len(known.held or {}),
            "version": known.version,
        }
        if any(row[name] != value for name, value in values.items()):
            await self._keep(organisation_id, station, row, values)

    async def _keep(self, organisation_id: str, station: Row, row: Row, values: dict[str, Any]) -> None:
        async def unit(tx: Tx) -> None:
            table = local_lists
            await tx.execute(
                update(table)
                .where(
                    table.c.organisation_id == organisation_id,
                    table.c.charging_station == row["charging_station"],
                )
                .values(**values, changed_at=self._clock.now())
            )
            if row["state"] != values["state"]:
                tx.touch(f"station:{station['station_id']}")

        await self._db.write(organisation_id, unit)

    async def _send(self, organisation_id: str, identity: str, version: Any, step: Step) -> str | None:
        match step:
            case AskLimits():
                action, payload = local_list.limits_question(version)
            case AskVersion():
                action, payload = "GetLocalListVersion", {}
            case Send():
                action, payload = "SendLocalList", local_list.payload(version, step)
            case _:
                return None
        result = await self._commands.enqueue(
            organisation_id, identity, action, payload, expires_s=PATIENCE_S, origin=ORIGIN
        )
        return None if isinstance(result, Refused) else result.id


def _fitting(row: Row, version: Any, wanted: Sequence[Entry]) -> list[Entry]:
    """The entries that can stand on the list of this very station."""
    return [
        entry
        for entry in wanted
        if local_list.fits(version, entry) and entry.token.casefold() not in row["excluded"]
    ]


def _has_work(row: Row | None, version: Any, wanted: Sequence[Entry], now: datetime) -> bool:
    """Tell whether anything is on its way, to be sent, or no longer as it is shown."""
    if row is None or row["command_id"] is not None:
        return True
    step = local_list.next_step(known_from(row["known"]), _fitting(row, version, wanted), now)
    state = _resting_state(step)
    return state is None or state.value != row["state"]


def _resting_state(step: Step) -> ListState | None:
    return step.state if isinstance(step, local_list.Rest) else None


def absorb(known: Known, row: Row, result: CommandResult | None, version: Any, now: datetime) -> Known:
    """Read the end of the command that `row` waits for; without any the process ended meanwhile."""
    sent = row["sent"] or {}
    response = (result.response if result is not None else None) or {}
    is_answered = result is not None and result.state is CommandState.ANSWERED
    code = str((result.error or {}).get("code")) if result and result.state is CommandState.ERROR else None
    if sent.get("ask") == "limits":
        if not is_answered and code is None:
            return local_list.put_off(known, None, now)
        # A station that does not tell its limits may well keep a list.
        return replace(known, limits=local_list.limits_in(version, response))
    if sent.get("ask") == "version":
        reported = local_list.version_in(version, response) if is_answered else None
        if reported is None:
            return local_list.put_off(known, code, now)
        return local_list.told_version(known, reported)
    send = Send(version=sent.get("version", 0), full=sent.get("full", True), after=sent.get("after", {}))
    if is_answered:
        return local_list.answered(known, send, str(response.get("status")), now)
    return local_list.unanswered(known, send, code, now)


# --- what is wanted -------------------------------------------------------------------------------------


async def wanted_entries(reader: Reader, organisation_id: str, station_id: str, now: datetime) -> list[Entry]:
    """Badges that may charge at this place at any time, the most important first.

    Those of staff and of nobody, then drivers' where the community lets them charge without a booking. A
    driver who needs a booking is not on it: an offline station could not know about the booking.
    """
    staff = await _people_with(reader, organisation_id, sorted(STAFF), community_id=None)
    drivers = await _drivers_at(reader, organisation_id, station_id)
    table = id_tokens
    rows = await reader.all(
        select(table)
        .where(
            table.c.organisation_id == organisation_id,
            table.c.status == "Accepted",
            or_(table.c.expires_at.is_(None), table.c.expires_at > now),
        )
        .order_by(table.c.token_key)
    )
    first = [row for row in rows if row["person_id"] is None or row["person_id"] in staff]
    then = [row for row in rows if row["person_id"] in drivers - staff]
    return [_entry(row) for row in (*first, *then)]


async def _drivers_at(reader: Reader, organisation_id: str, station_id: str) -> frozenset[str]:
    station = await fleet.station(reader, organisation_id, station_id)
    community = station and await accounts.community(reader, organisation_id, station.community_id)
    if not community or not community.rules.driver_charge_anywhere:
        return frozenset()
    names = [RoleName.DRIVER.value]
    return await _people_with(reader, organisation_id, names, community_id=community.id)


async def _people_with(
    reader: Reader, organisation_id: str, names: Sequence[str], *, community_id: str | None
) -> frozenset[str]:
    statement = (
        select(roles.c.person_id)
        .join(people, people.c.id == roles.c.person_id)
        .where(
            roles.c.organisation_id == organisation_id,
            roles.c.role.in_(names),
            people.c.disabled_at.is_(None),
        )
    )
    if community_id is not None:
        statement = statement.where(or_(roles.c.community_id.is_(None), roles.c.community_id == community_id))
    return frozenset(row["person_id"] for row in await reader.all(statement))


def _entry(row: Row) -> Entry:
    expires_at = row["expires_at"]
    return Entry(
        token=row["token"],
        type=row["type"],
        expires_at=instant_text(expires_at),
        parent=row["parent"],
    )


def _cleared_token(command: Row | None) -> str | None:
    """The badge of a CustomerInformation that was to clear it and was accepted."""
    if command is None or (command["response"] or {}).get("status") != "Accepted":
        return None
    told = command["payload"].get("idToken")
    return str(told.get("idToken")) if command["payload"].get("clear") and isinstance(told, dict) else None


# --- rows -----------------------------------------------------------------------------------------------


async def _station(reader: Reader, organisation_id: str, identity: str) -> Row | None:
    table = charging_stations
    return await reader.first(
        select(table.c.ocpp, table.c.station_id).where(
            table.c.organisation_id == organisation_id, table.c.identity == identity
        )
    )


async def _row(reader: Reader, organisation_id: str, identity: str) -> Row | None:
    table = local_lists
    return await reader.first(
        select(table).where(table.c.organisation_id == organisation_id, table.c.charging_station == identity)
    )


async def _command(reader: Reader, event: ChargingStationEvent) -> Row | None:
    if not isinstance(event, CommandFinished):
        return None
    return await reader.first(
        select(commands).where(
            commands.c.organisation_id == event.organisation_id, commands.c.id == event.command_id
        )
    )


async def _save(tx: Tx, event: ChargingStationEvent, **values: Any) -> None:
    table = local_lists
    await tx.execute(
        update(table)
        .where(
            table.c.organisation_id == event.organisation_id,
            table.c.charging_station == event.charging_station,
        )
        .values(**values)
    )


def known_to(known: Known) -> dict[str, Any]:
    """Write what is known as JSON."""
    limits = known.limits
    return {
        "supported": known.supported,
        "limits": None if limits is None else [limits.most_entries, limits.per_message],
        "has_version": known.has_version,
        "version": known.version,
        "held": None if known.held is None else dict(known.held),
        "doubt": None if known.doubt is None else [known.doubt[0], dict(known.doubt[1])],
        "failures": known.failures,
        "refused": known.refused,
        "retry_at": instant_text(known.retry_at),
    }


def known_from(document: Mapping[str, Any]) -> Known:
    """Read what `known_to` wrote."""
    limits, doubt, retry_at = document["limits"], document["doubt"], document["retry_at"]
    return Known(
        supported=document["supported"],
        limits=None if limits is None else Limits(most_entries=limits[0], per_message=limits[1]),
        has_version=document["has_version"],
        version=document["version"],
        held=document["held"],
        doubt=None if doubt is None else (doubt[0], doubt[1]),
        failures=document["failures"],
        refused=document["refused"],
        retry_at=None if retry_at is None else parse_instant(retry_at),
    )


def sent_to(step: Step) -> dict[str, Any] | None:
    """Write what is on its way as JSON."""
    if isinstance(step, Send):
        return {"version": step.version, "full": step.full, "after": dict(step.after)}
    return {"ask": QUESTIONS[type(step)]} if type(step) in QUESTIONS else None
