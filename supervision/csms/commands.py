"""Commands to charging stations: kept as rows, checked before sending, answered by what the station said.

`send` waits for the end of the command. `enqueue` returns at once: the command is sent now, or when the
station is back before it expires, and its end is told by the event `CommandFinished`.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, or_, select, update

from supervision import chance
from supervision.clock import Clock
from supervision.csms import credentials, holding, metrics
from supervision.csms.catalogue import TO_STATION
from supervision.csms.frame import CallError, CallResult, Version, write_call
from supervision.csms.masking import mask_payload
from supervision.csms.outbound import (
    TIMED_OUT,
    CommandState,
    Outcome,
    QueuedCall,
    outcome_of,
    priority_of,
)
from supervision.csms.registry import Connection, Registry
from supervision.csms.schemas import read_leniently, violations
from supervision.csms.store import HotPath, Station, update_station
from supervision.kernel.errors import Refused
from supervision.kernel.events import CommandFinished
from supervision.log import Log
from supervision.store.db import Database, Job, Reader, StoreUnavailableError, Tx, across_tenants
from supervision.store.schema import charging_stations, commands

log = Log("supervision.csms.commands")

MAX_TIMEOUT_S = 600
SWEEP_S = 5.0
_START = across_tenants("commands of every organisation were on their way when the process ended")
_UNFINISHED = (CommandState.QUEUED.value, CommandState.SENT.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """The end of a command, as the API tells it."""

    id: str
    state: CommandState
    response: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """A command that was checked; `refusal` is set when it must not be sent."""

    id: str
    station: Station
    version: Version | None
    action: str
    payload: Mapping[str, Any]
    timeout_s: float
    origin: str
    by_person_id: str | None
    refusal: Mapping[str, Any] | None


class CommandService:
    """Every CALL of both versions, through the one queue of the station's socket."""

    def __init__(self, *, db: Database, clock: Clock, registry: Registry) -> None:
        self._db = db
        self._clock = clock
        self._registry = registry
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Own the commands nobody waits for and end those that expired; ends only by cancellation."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            while True:
                await self._expire()
                await asyncio.sleep(SWEEP_S)

    async def send(
        self,
        organisation_id: str,
        identity: str,
        action: str,
        payload: Mapping[str, Any],
        *,
        timeout_s: float = 30,
        origin: str = "api",
        by_person_id: str | None = None,
    ) -> CommandResult | Refused:
        """Send a CALL and wait for its end; `Refused` only for a station the organisation does not have."""
        order = await self._order(organisation_id, identity, action, payload, timeout_s, origin, by_person_id)
        if order is None:
            return Refused("unknown_charging_station", {"charging_station": identity})
        if order.refusal is not None:
            return await self._finish_at_once(order, Outcome(state=CommandState.REFUSED, error=order.refusal))
        connection = self._registry.get(identity)
        if connection is None:
            return await self._finish_at_once(order, Outcome(state=CommandState.OFFLINE))
        await self._insert(order, CommandState.QUEUED)
        outcome = await self._through(connection, order.id, order.action, order.payload, order.timeout_s)
        return await self._finish(order.station, order.id, order.action, outcome, payload=order.payload)

    async def enqueue(
        self,
        organisation_id: str,
        identity: str,
        action: str,
        payload: Mapping[str, Any],
        *,
        expires_s: float = 120,
        origin: str = "charging",
        by_person_id: str | None = None,
    ) -> CommandResult | Refused:
        """Record a CALL and return at once, in state `queued` or `refused`; its end comes as an event."""
        order = await self._order(organisation_id, identity, action, payload, expires_s, origin, by_person_id)
        if order is None:
            return Refused("unknown_charging_station", {"charging_station": identity})
        if order.refusal is not None:
            return await self._finish_at_once(order, Outcome(state=CommandState.REFUSED, error=order.refusal))
        await self._insert(order, CommandState.QUEUED)
        connection = self._registry.get(identity)
        if connection is not None:
            self._follow(connection, order.id, order.action, order.payload, order.timeout_s)
        return CommandResult(id=order.id, state=CommandState.QUEUED)

    async def result(self, organisation_id: str, command_id: str) -> CommandResult | None:
        """Return a command as it stands."""
        async with self._db.read(organisation_id) as reader:
            row = await reader.first(
                select(commands).where(
                    commands.c.organisation_id == organisation_id, commands.c.id == command_id
                )
            )
        return None if row is None else _result_of(row)

    # --- for the central system ---------------------------------------------------------------------------

    async def connected(self, connection: Connection) -> None:
        """Take up what was queued while the station was away and has not expired."""
        station, now = connection.station, self._clock.now()
        async with self._db.read(station.organisation_id) as reader:
            rows = await reader.all(
                select(commands)
                .where(
                    commands.c.organisation_id == station.organisation_id,
                    commands.c.charging_station == station.identity,
                    commands.c.state == CommandState.QUEUED.value,
                    commands.c.expires_at > now,
                )
                .order_by(commands.c.priority, commands.c.created_at)
            )
        for row in rows:
            left = (row["expires_at"] - now).total_seconds()
            self._follow(connection, row["id"], row["action"], row["payload"], left)

    async def sending(self, connection: Connection, call: QueuedCall, hot: HotPath) -> str:
        """Journal a CALL as sent, commit, and return its text. The command's id is the message id."""
        station, now = connection.station, self._clock.now()
        text = write_call(call.command_id, call.action, call.payload)

        async def unit(tx: Tx) -> None:
            await tx.execute(
                _command(station, call.command_id).values(
                    state=CommandState.SENT.value, sent_at=now, payload=mask_payload(dict(call.payload))
                )
            )
            job = Job()
            hot.frame(job, station, now, "out", text)
            await tx.append(job)

        await self._db.write(station.organisation_id, unit)
        return text

    async def record_late(self, station: Station, frame: CallResult | CallError) -> bool:
        """Keep an answer that came after its timeout; False when no command waits for one."""
        outcome = outcome_of(frame)
        details = {"late": {"state": outcome.state.value, "at": self._clock.now().isoformat()}}

        async def unit(tx: Tx) -> int:
            return await tx.execute(
                _command(station, frame.message_id)
                .where(commands.c.state.in_((CommandState.TIMEOUT.value, CommandState.OFFLINE.value)))
                .values(response=mask_payload(outcome.response), error=mask_payload(outcome.error) or details)
            )

        return await self._db.write(station.organisation_id, unit) > 0

    async def _expire(self) -> None:
        """End commands whose station did not come back in time; those of live sockets end by themselves."""
        now = self._clock.now()
        overdue = commands.c.expires_at <= now - timedelta(seconds=SWEEP_S)
        queued = commands.c.state == CommandState.QUEUED.value
        try:
            async with self._db.read(_START) as reader:  # the idle sweep takes no write lock
                if await reader.first(select(commands.c.id).where(queued, overdue).limit(1)) is None:
                    return
            await self._end_where(CommandState.OFFLINE, now, queued, overdue)
        except StoreUnavailableError:
            log.warning("commands.expiry_waits_for_the_database")

    async def recover(self) -> None:
        """After a restart nobody waits for an answer: what was sent timed out, what expired is over."""
        now = self._clock.now()
        lost = or_(commands.c.state == CommandState.SENT.value, commands.c.expires_at <= now)
        await self._end_where(CommandState.TIMEOUT, now, commands.c.state.in_(_UNFINISHED), lost)

    async def _end_where(self, state: CommandState, now: datetime, *conditions: Any) -> None:
        async def unit(tx: Tx) -> None:
            rows = await tx.all(
                select(commands, charging_stations.c.station_id)
                .join(charging_stations, charging_stations.c.identity == commands.c.charging_station)
                .where(*conditions)
            )
            for row in rows:
                await tx.execute(
                    update(commands)
                    .where(commands.c.id == row["id"])
                    .values(state=state.value, finished_at=now, payload=mask_payload(row["payload"]))
                )
                station = Station(
                    identity=row["charging_station"],
                    organisation_id=row["organisation_id"],
                    station_id=row["station_id"],
                )
                tx.emit(_finished(station, row["id"], row["action"], state))

        await self._db.write(_START, unit)

    # --- inside -------------------------------------------------------------------------------------

    async def _order(
        self,
        organisation_id: str,
        identity: str,
        action: str,
        payload: Mapping[str, Any],
        timeout_s: float,
        origin: str,
        by_person_id: str | None,
    ) -> _Order | None:
        async with self._db.read(organisation_id) as reader:
            row = await _station_row(reader, organisation_id, identity)
        if row is None:
            return None
        connection = self._registry.get(identity)
        version = connection.version if connection is not None else _version_of(row["ocpp"])
        return _Order(
            id=chance.new_id(),
            station=Station(identity=identity, organisation_id=organisation_id, station_id=row["station_id"]),
            version=version,
            action=action,
            payload=payload,
            timeout_s=min(max(timeout_s, 0.1), MAX_TIMEOUT_S),
            origin=origin,
            by_person_id=by_person_id,
            refusal=check(version, action, payload) or _held_back(connection, action),
        )

    async def _insert(self, order: _Order, state: CommandState, **values: Any) -> None:
        now = self._clock.now()
        row = {
            "id": order.id,
            "organisation_id": order.station.organisation_id,
            "charging_station": order.station.identity,
            "action": order.action,
            "payload": dict(order.payload),
            "priority": priority_of(order.action),
            "state": state.value,
            "created_at": now,
            "expires_at": now + timedelta(seconds=order.timeout_s),
            "origin": order.origin,
            "by_person_id": order.by_person_id,
            **values,
        }

        async def unit(tx: Tx) -> None:
            await tx.execute(insert(commands).values(**row))
            tx.touch(order.station.topic)

        await self._db.write(order.station.organisation_id, unit)

    async def _finish_at_once(self, order: _Order, outcome: Outcome) -> CommandResult:
        metrics.COMMANDS.labels(_known(order.action), outcome.state.value).inc()
        await self._insert(
            order,
            outcome.state,
            finished_at=self._clock.now(),
            payload=mask_payload(dict(order.payload)),
            error=outcome.error,
        )
        return CommandResult(id=order.id, state=outcome.state, error=outcome.error)

    def _follow(
        self,
        connection: Connection,
        command_id: str,
        action: str,
        payload: Mapping[str, Any],
        timeout_s: float,
    ) -> None:
        """Send without a caller who waits; the task belongs to the process's group."""

        async def follow() -> None:
            outcome = await self._through(connection, command_id, action, payload, timeout_s)
            if outcome.state is CommandState.OFFLINE and not await self._was_sent(connection, command_id):
                return  # still queued: it is sent when the station is back, or expires
            try:
                await self._finish(connection.station, command_id, action, outcome, payload=payload)
            except StoreUnavailableError:
                log.warning("commands.end_not_recorded", command=command_id)

        if self._tasks is not None:  # else the row is taken up when the station connects
            self._tasks.create_task(follow(), name=f"command {command_id}")

    async def _was_sent(self, connection: Connection, command_id: str) -> bool:
        row = await self.result(connection.station.organisation_id, command_id)
        return row is None or row.state is not CommandState.QUEUED

    async def _through(
        self,
        connection: Connection,
        command_id: str,
        action: str,
        payload: Mapping[str, Any],
        timeout_s: float,
    ) -> Outcome:
        return await connection.outbound.put(
            command_id=command_id, action=action, payload=payload, timeout_s=timeout_s
        )

    async def _finish(
        self,
        station: Station,
        command_id: str,
        action: str,
        outcome: Outcome,
        *,
        payload: Mapping[str, Any],
    ) -> CommandResult:
        metrics.COMMANDS.labels(_known(action), outcome.state.value).inc()
        response, error = mask_payload(outcome.response), mask_payload(outcome.error)
        rotated = credentials.rotated_password(action, payload, outcome.response or {})

        async def unit(tx: Tx) -> None:
            await tx.execute(
                _command(station, command_id)
                .where(commands.c.state.in_(_UNFINISHED))
                .values(
                    state=outcome.state.value,
                    finished_at=self._clock.now(),
                    response=response,
                    error=error,
                    payload=mask_payload(dict(payload)),
                )
            )
            if rotated is not None:
                salt = chance.new_bytes(16)
                hashed = credentials.hash_password(salt, rotated)
                await update_station(tx, station, password_salt=salt, password_hash=hashed)
            tx.emit(_finished(station, command_id, action, outcome.state))
            tx.touch(station.topic)

        await self._db.write(station.organisation_id, unit)
        return CommandResult(id=command_id, state=outcome.state, response=response, error=error)


def check(version: Version | None, action: str, payload: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return why a CALL must not be sent, None when it may. Repeats no value of the payload."""
    if action not in (TO_STATION[version] if version is not None else _ANY_ACTION):
        return {"code": "unknown_action", "description": "no such message to a station of this version"}
    if version is None:  # it has never connected: what it would understand is not known yet
        return None
    found = violations(version, action, payload, answer=False)
    if not found:
        return None
    return {
        "code": "invalid_payload",
        "description": found[0].text,
        "details": {"violations": [violation.text for violation in itertools.islice(found, 20)]},
    }


def _held_back(connection: Connection | None, action: str) -> dict[str, Any] | None:
    """A station whose boot was not accepted is asked for no charge, a rejected one for nothing."""
    if connection is None or holding.may_be_asked(connection.held, action):
        return None
    return {"code": "boot_not_accepted", "description": "the station's boot is not accepted yet"}


def understood(version: Version, action: str, response: dict[str, Any]) -> Mapping[str, Any]:
    """Return an answer as far as it could be understood: leniently, as every message of a station."""
    return read_leniently(version, action, response, answer=True).payload


def _command(station: Station, command_id: str) -> Any:
    return update(commands).where(
        commands.c.organisation_id == station.organisation_id,
        commands.c.charging_station == station.identity,
        commands.c.id == command_id,
    )


def _finished(station: Station, command_id: str, action: str, state: CommandState) -> CommandFinished:
    return CommandFinished(
        organisation_id=station.organisation_id,
        charging_station=station.identity,
        station_id=station.station_id,
        command_id=command_id,
        action=action,
        state=state.value,
    )


def _result_of(row: Mapping[str, Any]) -> CommandResult:
    return CommandResult(
        id=row["id"], state=CommandState(row["state"]), response=row["response"], error=row["error"]
    )


async def _station_row(reader: Reader, organisation_id: str, identity: str) -> Mapping[str, Any] | None:
    return await reader.first(
        select(charging_stations.c.station_id, charging_stations.c.ocpp).where(
            charging_stations.c.organisation_id == organisation_id, charging_stations.c.identity == identity
        )
    )


def _version_of(number: str | None) -> Version | None:
    return next((version for version in Version if version.number == number), None)


_ANY_ACTION = frozenset[str]().union(*TO_STATION.values())


def _known(action: str) -> str:
    """The action as a metric label; a stranger's words must not become labels."""
    return action if action in _ANY_ACTION else "unknown"


__all__ = ["TIMED_OUT", "CommandResult", "CommandService", "CommandState", "check", "understood"]
