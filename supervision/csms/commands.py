"""Commands to charging stations: kept as rows, checked before sending, answered by what the station said.

`send` waits for the end of the command. `enqueue` returns at once: the command is sent now, or when the
station is back before it expires, is tried again as its policy says, and its end is told by the event
`CommandFinished`. The table is the queue: what is not in it is not on its way.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.exc import IntegrityError

from supervision import chance
from supervision.clock import Clock
from supervision.csms import command_store, each_evse, holding, metrics, parts, rotation
from supervision.csms.catalogue import TO_STATION
from supervision.csms.command_policy import end_of, next_try, policy_of, priority_of
from supervision.csms.command_store import (
    UNFINISHED,
    CommandResult,
    Order,
    Row,
    fingerprint,
    insert_order,
    result_of,
)
from supervision.csms.frame import CallError, CallResult, Version, write_call
from supervision.csms.masking import mask_payload
from supervision.csms.outbound import CALLED_OFF, TIMED_OUT, CommandState, Outcome, QueuedCall, outcome_of
from supervision.csms.registry import Connection, Registry
from supervision.csms.schemas import violations
from supervision.csms.store import HotPath, Station, named, update_station
from supervision.kernel.errors import Refused
from supervision.kernel.timespan import to_millis
from supervision.log import Log
from supervision.store.db import Database, Job, Reader, StoreUnavailableError, Tx, across_tenants
from supervision.store.schema import charging_stations, commands

log = Log("supervision.csms.commands")

MAX_TIMEOUT_S = 600
MAX_EXPIRY_S = 7 * 86_400
SWEEP_S = 5.0
SWEPT_AT_ONCE = 500
MAX_BULK = 20  # commands of batches on their way at once, over all stations
_START = across_tenants("commands of every organisation were on their way when the process ended")
_SWEEP = across_tenants("commands of every organisation fall due")
_QUEUED, _SENT = CommandState.QUEUED.value, CommandState.SENT.value
_SAID = (CommandState.ANSWERED, CommandState.ERROR)  # otherwise nobody knows what the station did


class CommandService:
    """Every CALL of both versions, through the one queue of the station's socket."""

    def __init__(self, *, db: Database, clock: Clock, registry: Registry, max_bulk: int = MAX_BULK) -> None:
        self._db = db
        self._clock = clock
        self._registry = registry
        self._max_bulk = max_bulk
        self._waiting = db.prepare_query(command_store.waiting_query())
        self._tasks: asyncio.TaskGroup | None = None
        self._bell = asyncio.Event()
        self._running: dict[str, asyncio.Event] = {}  # commands this process cares for -> set at their end
        self._bulk: set[str] = set()

    async def run(self) -> None:
        """Own the commands nobody waits for and send what falls due; ends only by cancellation."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            while True:
                await self.sweep()
                try:
                    async with asyncio.timeout(SWEEP_S):
                        await self._bell.wait()
                except TimeoutError:
                    continue

    def ring(self) -> None:
        """Look at what is due now instead of at the next sweep."""
        self._bell.set()

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
        idempotency_key: str | None = None,
    ) -> CommandResult | Refused:
        """Send a CALL once and wait for its end.

        Refused: `unknown_charging_station`; `conflict` when the key belongs to another command. The command
        that the station already has under the key is waited for instead of a second one.
        """
        order = await self._order(
            organisation_id,
            identity,
            action,
            payload,
            lasts_s=min(max(timeout_s, 0.1), MAX_TIMEOUT_S),
            origin=origin,
            by_person_id=by_person_id,
            key=idempotency_key,
        )
        if order is None:
            return Refused("unknown_charging_station", {"charging_station": identity})
        connection = self._registry.get(identity)
        if order.refusal is not None or connection is None:
            return await self._enter_ended(order)
        known = await self._enter(order, CommandState.QUEUED)
        if known is not None:
            return await self._await_known(order, known)
        return await self._attend(connection, order)

    async def enqueue(
        self,
        organisation_id: str,
        identity: str,
        action: str,
        payload: Mapping[str, Any],
        *,
        expires_s: float | None = None,
        origin: str = "charging",
        by_person_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> CommandResult | Refused:
        """Record a CALL and return at once, in state `queued` or `refused`; its end comes as an event.

        Refused as by `send`. `expires_s` is what the action's policy says when it is not given.
        """
        policy = policy_of(action)
        wanted_s = policy.expires_s if expires_s is None else expires_s
        order = await self._order(
            organisation_id,
            identity,
            action,
            payload,
            lasts_s=min(max(wanted_s, 0.1), MAX_EXPIRY_S),
            answer_s=policy.answer_s,
            tries_allowed=command_store.tries_for(action, payload),
            origin=origin,
            by_person_id=by_person_id,
            key=idempotency_key,
        )
        if order is None:
            return Refused("unknown_charging_station", {"charging_station": identity})
        if order.refusal is not None:
            return await self._enter_ended(order)
        known = await self._enter(order, CommandState.QUEUED)
        if known is not None:
            return known
        connection = self._registry.get(identity)
        if connection is not None:
            self._follow(connection, order)
        return CommandResult(id=order.id, state=CommandState.QUEUED)

    async def cancel(self, organisation_id: str, identity: str, command_id: str) -> CommandResult | Refused:
        """Call off a command that was not sent, or waits to be tried again; repeating it changes nothing.

        Refused: `unknown_command`, `already_sent` while its answer is awaited, `already_ended` after its end.
        """

        async def unit(tx: Tx) -> Refused | None:
            row = await tx.first(
                command_store.with_station().where(
                    command_store.of(organisation_id, identity, command_id),
                    charging_stations.c.organisation_id == organisation_id,
                )
            )
            refused = _uncancellable(row, command_id)
            if refused is None and row is not None and row["state"] == _QUEUED:
                now = self._clock.now()
                await command_store.finish(tx, Station.of(row), row, CommandState.CANCELLED, now)
            return refused

        refused = await self._db.write(organisation_id, unit)
        if refused is not None:
            return refused
        connection = self._registry.get(identity)
        if connection is not None:
            connection.outbound.call_off(command_id)
        return await self.result(organisation_id, command_id) or _unknown(command_id)

    async def result(self, organisation_id: str, command_id: str) -> CommandResult | None:
        """Return a command as it stands."""
        async with self._db.read(organisation_id) as reader:
            row = await reader.first(
                select(commands).where(
                    commands.c.organisation_id == organisation_id, commands.c.id == command_id
                )
            )
        return None if row is None else result_of(row)

    # --- for the central system ---------------------------------------------------------------------------

    async def connected(self, connection: Connection) -> None:
        """Take up what was queued while the station was away and has not expired."""
        station, now = connection.station, self._clock.now()
        rows = await self._db.ask(self._waiting, **named(station), b_now=to_millis(now))
        for row in rows:
            await self._take_up(connection, row)
        self.ring()

    async def sending(self, connection: Connection, call: QueuedCall, hot: HotPath) -> str | None:
        """Journal a CALL as sent, commit, and return its text; None when its command has ended meanwhile.

        It ends here when the station's boot is no longer accepted (1.6 4.2; 2.0.1 B02, B03).
        """
        station, now = connection.station, self._clock.now()
        text = write_call(call.message_id, call.action, call.payload)

        expected = or_(  # the first CALL of a try, and those that follow it
            and_(commands.c.state == _QUEUED, commands.c.tries == call.tries - 1),
            and_(commands.c.state == _SENT, commands.c.tries == call.tries),
        )

        async def unit(tx: Tx) -> bool:
            refusal = _held_back(connection, call.action)  # now, behind a boot that was written before
            if refusal is not None:
                await _refuse_waiting(tx, station, call.command_id, refusal, now)
                return False
            sent = await command_store.change(
                tx,
                station,
                call.command_id,
                expected,
                state=_SENT,
                sent_at=now,
                ocpp=connection.version.number,
                tries=call.tries,
                payload=dict(call.kept),
            )
            if not sent:
                return False
            await rotation.sent(tx, station, call.command_id, call.action, call.payload)
            job = Job()
            hot.frame(job, station, now, "out", text)
            await tx.append(job)
            return True

        return text if await self._db.write(station.organisation_id, unit) else None

    async def record_late(self, connection: Connection, frame: CallResult | CallError) -> bool:
        """Keep an answer that came after its time; False when no command waits for one.

        It ends a command that waits to be tried again: nothing is asked twice that has been answered.
        """
        station, command_id = connection.station, _command_of(frame.message_id)
        outcome, now = outcome_of(frame), self._clock.now()

        async def unit(tx: Tx) -> bool:
            row = await command_store.load(tx, station, command_id)
            if row is None:
                return False
            response = _joined_to(row, outcome.response)
            if row["state"] == _QUEUED and row["tries"]:
                values = {"response": response, "error": mask_payload(outcome.error)}
                await command_store.finish(tx, station, row, outcome.state, now, **values)
                await _follow_rotation(tx, station, row, outcome, now)
                return True
            late = {"late": {"state": outcome.state.value, "at": now.isoformat()}}
            ended = (CommandState.TIMEOUT.value, CommandState.OFFLINE.value)
            error = mask_payload(outcome.error) or late
            tx.touch(station.topic)
            kept = await command_store.change(
                tx, station, command_id, commands.c.state.in_(ended), response=response, error=error
            )
            if kept:
                await _follow_rotation(tx, station, row, outcome, now)
            return bool(kept)

        taken = await self._db.write(station.organisation_id, unit)
        if taken:
            connection.outbound.call_off(command_id)
        return taken

    # --- due work -----------------------------------------------------------------------------------------

    async def sweep(self) -> None:
        """End what expired and send what is due: further tries, and the next commands of batches."""
        self._bell.clear()
        try:
            await self._expire()
            for row in await self._due():
                connection = self._registry.get(row["charging_station"])
                if connection is not None and self._has_room(connection, row):
                    await self._take_up(connection, row)
        except StoreUnavailableError:
            log.warning("commands.sweep_waits_for_the_database")

    def _has_room(self, connection: Connection, row: Row) -> bool:
        """Batches yield: so many at once, and none to a station that could not be sent it now."""
        if row["id"] in self._running:
            return False
        return row["batch_id"] is None or (connection.outbound.ready and len(self._bulk) < self._max_bulk)

    async def _due(self) -> list[dict[str, Any]]:
        now = self._clock.now()
        here = and_(
            charging_stations.c.connected_at.is_not(None), charging_stations.c.disconnected_at.is_(None)
        )
        async with self._db.read(_SWEEP) as reader:
            return await reader.all(
                command_store.with_station()
                .where(
                    commands.c.state == _QUEUED, commands.c.due_at <= now, commands.c.expires_at > now, here
                )
                .order_by(commands.c.priority, commands.c.due_at, commands.c.id)
                .limit(SWEPT_AT_ONCE)
            )

    async def _expire(self) -> None:
        """End commands whose station did not come back in time; those of live sockets end by themselves."""
        now = self._clock.now()
        overdue = and_(commands.c.state == _QUEUED, commands.c.expires_at <= now - timedelta(seconds=SWEEP_S))
        async with self._db.read(_SWEEP) as reader:  # the idle sweep takes no write lock
            if await reader.first(select(commands.c.id).where(overdue).limit(1)) is None:
                return

        async def unit(tx: Tx) -> None:
            for row in await tx.all(command_store.with_station().where(overdue)):
                await command_store.finish(tx, Station.of(row), row, CommandState.OFFLINE, now)

        await self._db.write(_SWEEP, unit)

    async def recover(self) -> None:
        """After a restart nobody waits for an answer: what was sent timed out, what expired is over.

        What was sent is tried again only where its policy allows it.
        """
        now = self._clock.now()
        lost = and_(
            commands.c.state.in_(UNFINISHED), or_(commands.c.state == _SENT, commands.c.expires_at <= now)
        )

        async def unit(tx: Tx) -> None:
            for row in await tx.all(command_store.with_station().where(lost)):
                await self._end_or_repeat(tx, Station.of(row), row, TIMED_OUT)

        await self._db.write(_START, unit)

    # --- inside -------------------------------------------------------------------------------------------

    async def _order(
        self,
        organisation_id: str,
        identity: str,
        action: str,
        payload: Mapping[str, Any],
        *,
        lasts_s: float,
        origin: str,
        by_person_id: str | None,
        key: str | None,
        answer_s: float | None = None,
        tries_allowed: int = 1,
    ) -> Order | None:
        async with self._db.read(organisation_id) as reader:
            row = await _station_row(reader, organisation_id, identity)
        if row is None:
            return None
        connection = self._registry.get(identity)
        version = connection.version if connection is not None else Version.numbered(row["ocpp"])
        return Order(
            id=chance.new_id(),
            station=Station(identity=identity, organisation_id=organisation_id, station_id=row["station_id"]),
            version=version,
            action=action,
            payload=payload,
            priority=priority_of(action),
            lasts_s=lasts_s,
            answer_s=answer_s,
            tries=0,
            tries_allowed=tries_allowed,
            origin=origin,
            by_person_id=by_person_id,
            refusal=check(version, action, payload) or _held_back(connection, action),
            items=parts.limit_of(action, row["capabilities"] or {}),
            key=key,
        )

    async def _enter(
        self, order: Order, state: CommandState, **values: Any
    ) -> CommandResult | Refused | None:
        """Write a new command; return the one the station already has under its key, None when it is new.

        The index of the table decides, so that of two requests at one moment one writes.
        """

        async def unit(tx: Tx) -> None:
            await insert_order(tx, order, state, self._clock.now(), **values)

        try:
            await self._db.write(order.station.organisation_id, unit)
        except IntegrityError:
            known = await self._known(order)
            if known is None:
                raise
            return known
        return None

    async def _known(self, order: Order) -> CommandResult | Refused | None:
        if order.key is None:
            return None
        station = order.station
        async with self._db.read(station.organisation_id) as reader:
            row = await command_store.under_key(reader, station.organisation_id, station.identity, order.key)
        if row is None:
            return None
        if row["fingerprint"] != fingerprint(order.action, order.payload):
            return Refused("conflict", {"idempotency_key": order.key})
        return result_of(row)

    async def _enter_ended(self, order: Order) -> CommandResult | Refused:
        """Write a command that is not sent at all: refused, or its station is not there."""
        state = CommandState.OFFLINE if order.refusal is None else CommandState.REFUSED
        known = await self._enter(
            order, state, finished_at=self._clock.now(), payload=order.kept, error=order.refusal
        )
        if known is not None:
            return known
        metrics.COMMANDS.labels(_known_action(order.action), state.value).inc()
        return CommandResult(id=order.id, state=state, error=order.refusal)

    async def _await_known(self, order: Order, known: CommandResult | Refused) -> CommandResult | Refused:
        """Wait for the end of a command that another request has sent."""
        running = self._running.get(known.id) if isinstance(known, CommandResult) else None
        if isinstance(known, Refused) or running is None:
            return known
        try:
            async with asyncio.timeout(order.lasts_s):
                await running.wait()
        except TimeoutError:
            return known
        return await self.result(order.station.organisation_id, known.id) or known

    async def _take_up(self, connection: Connection, row: Row) -> None:
        """Send a queued row, unless the version its station turned out to speak does not know it."""
        if row["id"] in self._running:
            return
        refusal = check(connection.version, row["action"], row["payload"])
        order = command_store.order_of(row, connection.version, self._clock.now(), refusal)
        if refusal is None:
            self._follow(connection, order)
        else:
            await self._settle(order, Outcome(state=CommandState.REFUSED, error=refusal))

    def _follow(self, connection: Connection, order: Order) -> None:
        """Send without a caller who waits; the task belongs to the process's group."""

        async def follow() -> None:
            try:
                await self._attend(connection, order)
            except StoreUnavailableError:
                log.warning("commands.end_not_recorded", command=order.id)

        if self._tasks is not None:  # else the row is taken up when the station connects
            self._running.setdefault(order.id, asyncio.Event())
            if order.batch_id is not None:
                self._bulk.add(order.id)
            self._tasks.create_task(follow(), name=f"command {order.id}")

    async def _attend(self, connection: Connection, order: Order) -> CommandResult:
        """Send a command, and record how that ended."""
        ended = self._running.setdefault(order.id, asyncio.Event())
        try:
            outcome = await self._through(connection, order)
            return await self._settle(order, outcome)
        finally:
            ended.set()
            self._running.pop(order.id, None)
            self._bulk.discard(order.id)
            if order.answer_s is not None:
                self.ring()  # for the next of a batch, and for one that its socket's end has left unsent

    async def _through(self, connection: Connection, order: Order) -> Outcome:
        """Send a command's CALLs one after another until one is not answered.

        What is refused for the whole station may follow for each of its EVSEs, whose answers count then.
        """
        until = asyncio.get_running_loop().time() + order.lasts_s
        whole = parts.split(order.action, order.payload, order.items)
        outcome = await self._put_all(connection, order, whole, until=until)
        each = each_evse.instead(
            order.action, order.payload, outcome.response or {}, sorted(connection.max_power_w)
        )
        return await self._put_all(connection, order, each, until=until, first=1) if each else outcome

    async def _put_all(
        self,
        connection: Connection,
        order: Order,
        payloads: Sequence[Mapping[str, Any]],
        *,
        until: float,
        first: int = 0,
    ) -> Outcome:
        loop = asyncio.get_running_loop()
        answers: list[Mapping[str, Any]] = []
        outcome = TIMED_OUT
        for number, part in enumerate(payloads, first):
            outcome = await connection.outbound.put(
                command_id=order.id,
                message_id=_message_id(order.id, order.tries + 1, number),
                action=order.action,
                payload=part,
                kept=order.kept,
                tries=order.tries + 1,
                priority=order.priority,
                timeout_s=until - loop.time(),
                answer_s=order.answer_s,
            )
            if outcome is CALLED_OFF:
                return outcome
            if outcome.state is not CommandState.ANSWERED:
                break
            answers.append(outcome.response or {})
        return Outcome(state=outcome.state, response=_as_one(order.action, answers), error=outcome.error)

    async def _settle(self, order: Order, outcome: Outcome) -> CommandResult:
        """Record the end of a try; what a command was told meanwhile (cancelled, answered late) stays."""
        station = order.station

        async def unit(tx: Tx) -> Row | None:
            row = await command_store.load(tx, station, order.id)
            if row is None or row["state"] not in UNFINISHED or outcome is CALLED_OFF:
                return row
            if (
                row["state"] == _QUEUED
                and outcome.state is CommandState.OFFLINE
                and order.answer_s is not None
            ):
                # Never sent: it goes when the station is back, which it may be by now, or expires.
                await command_store.change(tx, station, order.id, due_at=self._clock.now())
                return row
            await self._end_or_repeat(tx, station, row, outcome)
            if outcome.state in _SAID:
                await _follow_rotation(tx, station, row, outcome, self._clock.now())
            await _learn(tx, station, order.action, outcome)
            return await command_store.load(tx, station, order.id)

        row = await self._db.write(station.organisation_id, unit)
        result = CommandResult(id=order.id, state=outcome.state) if row is None else result_of(row)
        metrics.COMMANDS.labels(_known_action(order.action), result.state.value).inc()
        return result

    async def _end_or_repeat(self, tx: Tx, station: Station, row: Row, outcome: Outcome) -> None:
        now = self._clock.now()
        sent = row["state"] == _SENT
        due = next_try(
            row["action"],
            end_of(outcome.state.value, outcome.error),
            tries=row["tries"] if sent else 0,
            tries_allowed=row["tries_allowed"],
            expires_at=row["expires_at"],
            now=now,
        )
        response, error = mask_payload(outcome.response), mask_payload(outcome.error)
        if due is None:
            values = {"response": response, "error": error}
            await command_store.finish(tx, station, row, outcome.state, now, **values)
        else:
            await command_store.change(tx, station, row["id"], state=_QUEUED, due_at=due, error=error)
            tx.touch(station.topic)


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


async def _refuse_waiting(
    tx: Tx, station: Station, command_id: str, refusal: Mapping[str, Any], now: datetime
) -> None:
    """End a command that waited at its socket as it would have ended had it been given now."""
    row = await command_store.load(tx, station, command_id)
    if row is not None and row["state"] in UNFINISHED:
        await command_store.finish(tx, station, row, CommandState.REFUSED, now, error=refusal)


def _uncancellable(row: Row | None, command_id: str) -> Refused | None:
    if row is None:
        return _unknown(command_id)
    if row["state"] == _SENT:
        return Refused("already_sent", {"command": command_id})
    if row["state"] in {_QUEUED, CommandState.CANCELLED.value}:
        return None
    return Refused("already_ended", {"command": command_id, "state": row["state"]})


def _unknown(command_id: str) -> Refused:
    return Refused("unknown_command", {"command": command_id})


async def _follow_rotation(tx: Tx, station: Station, row: Row, outcome: Outcome, now: datetime) -> None:
    """Follow what a station said of a CALL that may have carried a new password."""
    await rotation.answered(tx, station, row["id"], row["action"], row["payload"], outcome.response, now)


def _message_id(command_id: str, tries: int, part: int) -> str:
    """The command's own id first; every further CALL of it has an id of its own, as OCPP-J 4.1.4 wants."""
    return command_id if (tries, part) == (1, 0) else f"{command_id}.{tries}.{part}"


def _command_of(message_id: object) -> str:
    return str(message_id).partition(".")[0]


def _as_one(action: str, answers: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    return each_evse.as_one(answers) if action == each_evse.ACTION else parts.joined(action, answers)


def _joined_to(row: Row, response: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Add a late answer to those that came in time, for a command that went in parts."""
    known = [part for part in (row["response"], mask_payload(response)) if part]
    return parts.joined(row["action"], known) if row["action"] in parts.LISTINGS else mask_payload(response)


async def _learn(tx: Tx, station: Station, action: str, outcome: Outcome) -> None:
    """Keep how much the station takes in one CALL, when the answer tells it."""
    limits = parts.learnt(action, outcome.response)
    if not limits:
        return
    row = await _station_row(tx, station.organisation_id, station.identity)
    known = dict(row["capabilities"] or {}) if row is not None else {}
    known[parts.CAPABILITY] = {**(known.get(parts.CAPABILITY) or {}), **limits}
    await update_station(tx, station, capabilities=known)


async def _station_row(reader: Reader, organisation_id: str, identity: str) -> Row | None:
    table = charging_stations
    return await reader.first(
        select(table.c.station_id, table.c.ocpp, table.c.capabilities).where(
            table.c.organisation_id == organisation_id, table.c.identity == identity
        )
    )


_ANY_ACTION = frozenset[str]().union(*TO_STATION.values())


def _known_action(action: str) -> str:
    """The action as a metric label; a stranger's words must not become labels."""
    return action if action in _ANY_ACTION else "unknown"


__all__ = ["TIMED_OUT", "CommandResult", "CommandService", "CommandState", "check"]
