"""One charging station in any order of events: the real central system and database, two movable clocks.

    STATION_EXAMPLES=500 .venv/bin/python -m pytest tests/integration/test_station_properties.py

The station is honest about its charges but not about its line: it loses ends, repeats and delays messages,
answers late, wrongly or not at all, and comes back before it has left.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select, update

from supervision.clock import FixedClock
from supervision.csms.admission import Denial
from supervision.csms.authorising import BadgeAuthoriser
from supervision.csms.commands import CommandResult, CommandService
from supervision.csms.frame import Version
from supervision.csms.machine import State
from supervision.csms.model import ConnectorStatus
from supervision.csms.outbound import CommandState
from supervision.csms.presuming import PresumingService
from supervision.csms.registry import Registry
from supervision.csms.schemas import violations
from supervision.csms.service import CentralService
from supervision.csms.store import Station
from supervision.kernel.errors import Refused
from supervision.kernel.timespan import format_instant
from supervision.ocpp_cs import CentralSystem
from supervision.store.db import Database, Tx
from supervision.store.schema import charging_stations, charging_transactions, commands, evses
from tests.conftest import NOW
from tests.factories import TESTS
from tests.integration.calm_database import CalmDatabase
from tests.integration.memory_line import MemoryLine
from tests.integration.ocpp_client import SECRET, boot_payload, write_stations
from tests.integration.rebuilt import live_and_rebuilt

EXAMPLES = int(os.environ.get("STATION_EXAMPLES", "8"))
STEPS = 40
BADGE = "04A1B2C3"
EVSES = (1, 2)
ANSWER_S = 30  # of every command that this station is asked
AWAY_S = 360  # the line is lost for good, or a charge was replaced: more than any rule waits for
MOSTLY = st.sampled_from([True, True, True, False])
T = TypeVar("T")

ORDERS: Mapping[Version, Mapping[str, dict[str, Any]]] = {
    Version.V16: {
        "ChangeAvailability": {"connectorId": 1, "type": "Inoperative"},
        "ClearCache": {},
        "GetConfiguration": {"key": ["HeartbeatInterval"]},
        "RemoteStartTransaction": {"connectorId": 1, "idTag": BADGE},
        "Reset": {"type": "Soft"},
        "UnlockConnector": {"connectorId": 1},
    },
    Version.V201: {
        "ChangeAvailability": {"operationalStatus": "Inoperative", "evse": {"id": 1}},
        "ClearCache": {},
        "GetLocalListVersion": {},
        "RequestStartTransaction": {
            "remoteStartId": 1,
            "evseId": 1,
            "idToken": {"idToken": BADGE, "type": "ISO14443"},
        },
        "Reset": {"type": "OnIdle"},
        "UnlockConnector": {"evseId": 1, "connectorId": 1},
    },
}
ANSWERS: Mapping[str, dict[str, Any]] = {
    "GetConfiguration": {"configurationKey": [], "unknownKey": ["HeartbeatInterval"]},
    "GetLocalListVersion": {"versionNumber": 0},
    "UnlockConnector": {"status": "Unlocked"},
}
STARTS = {"RemoteStartTransaction", "RequestStartTransaction"}
CARRIES = {"StartTransaction", "StopTransaction", "MeterValues", "TransactionEvent"}
STATUSES = {
    Version.V16: ("Available", "Preparing", "Charging", "SuspendedEV", "Finishing", "Faulted", "Unavailable"),
    Version.V201: ("Available", "Occupied", "Reserved", "Unavailable", "Faulted"),
}


class MovableLoop(asyncio.SelectorEventLoop):
    """A loop whose time stands still until it is moved, so that a busy machine changes nothing."""

    moved_s = 0.0

    def time(self) -> float:
        return self.moved_s


@dataclass
class Message:
    """One message of a charge, as it stands in the station's memory."""

    charge: Charge
    number: int
    kind: str
    at: datetime
    register_wh: int
    offline: bool

    def call(self, version: Version) -> tuple[str, dict[str, Any]]:
        return self._call_16() if version is Version.V16 else self._call_201()

    def _call_16(self) -> tuple[str, dict[str, Any]]:
        at, evse_id, number = format_instant(self.at), self.charge.evse_id, self.charge.row_key
        if self.kind == "Started":
            start = {"connectorId": evse_id, "idTag": BADGE, "meterStart": self.register_wh, "timestamp": at}
            return "StartTransaction", start
        assert number is not None  # the queue is in order: the start was answered
        if self.kind == "Ended":
            return "StopTransaction", {
                "transactionId": int(number),
                "meterStop": self.register_wh,
                "timestamp": at,
            }
        value = {"timestamp": at, "sampledValue": [{"value": str(self.register_wh)}]}
        return "MeterValues", {"connectorId": evse_id, "transactionId": int(number), "meterValue": [value]}

    def _call_201(self) -> tuple[str, dict[str, Any]]:
        triggers = {"Started": "CablePluggedIn", "Updated": "MeterValuePeriodic", "Ended": "EVDeparted"}
        at = format_instant(self.at)
        return "TransactionEvent", {
            "eventType": self.kind,
            "timestamp": at,
            "triggerReason": triggers[self.kind],
            "seqNo": self.number,
            "offline": self.offline,
            "transactionInfo": {"transactionId": self.charge.row_key},
            "evse": {"id": self.charge.evse_id, "connectorId": 1},
            "meterValue": [{"timestamp": at, "sampledValue": [{"value": self.register_wh}]}],
            **({"idToken": {"idToken": BADGE, "type": "ISO14443"}} if self.kind == "Started" else {}),
        }


@dataclass
class Charge:
    """What the station knows of one charge; `row_key` is its OCPP transaction id."""

    evse_id: int
    row_key: str | None
    heard: dict[int, Message] = field(default_factory=dict)  # by the central system
    told: int = 0

    def energy_wh(self, state: State) -> int | None:
        """What the central system can know: the last register less the first, of the messages it has."""
        heard = sorted(self.heard.values(), key=lambda one: one.number)
        if state is State.OPEN or len(heard) < 2:
            return None
        return heard[-1].register_wh - heard[0].register_wh


class StationMachine(RuleBasedStateMachine):
    """The station, what it has said, and what must have become of it."""

    def __init__(self, version: Version, template: Path, directory: Path) -> None:
        super().__init__()
        self.version = version
        self.identity = "CP16" if version is Version.V16 else "CS201"
        path = directory / f"{next(_NUMBERS)}.db"
        shutil.copyfile(template, path)
        self.clock = FixedClock(NOW)
        self.runner = asyncio.Runner(loop_factory=MovableLoop)
        self.line: MemoryLine | None = None
        self.read = 0  # of what the line has brought
        self.messages = itertools.count(1)
        self.charges: list[Charge] = []
        self.charging: dict[int, Charge] = {}
        self.meter_wh = dict.fromkeys(EVSES, 1000)
        self.waiting: list[Message] = []
        self.delivered: list[Message] = []
        self.shown: dict[int, tuple[datetime, str]] = {}
        self.registration = "Accepted"
        self.asked: dict[str, tuple[float, str]] = {}  # CALLs on this line without an answer: sent at, action
        self.late: list[tuple[str, str]] = []  # CALLs that were not answered while they could be
        self.orders: list[str] = []
        loop = self.runner.get_loop()
        self.ready, self.over = asyncio.Event(), asyncio.Event()
        self.serving = loop.create_task(self.serve(f"sqlite:///{path}"))
        self.run(self.ready.wait())

    # --- the world ----------------------------------------------------------------------------------------

    def run(self, work: Awaitable[T]) -> T:
        async def both() -> T:
            return await work

        return self.runner.run(both())

    async def serve(self, url: str) -> None:
        """The central system, as long as the example lasts."""
        async with CalmDatabase.open(url, clock=self.clock) as db:
            assert isinstance(db, CalmDatabase)
            self.db = db
            registry = Registry()
            self.commands = CommandService(db=self.db, clock=self.clock, registry=registry)
            self.presuming = PresumingService(db=self.db, clock=self.clock, registry=registry)
            self.service = CentralService(
                db=self.db,
                clock=self.clock,
                authoriser=BadgeAuthoriser(),
                registry=registry,
                commands=self.commands,
                boot_interval_s=300,
            )
            self.central = CentralSystem(self.service, settle_s=0.0, rate_per_s=1e6, burst=1_000_000)
            async with asyncio.TaskGroup() as self.tasks:
                self.central._tasks = self.tasks
                sweeping = self.tasks.create_task(self.commands.run())
                self.ready.set()
                await self.over.wait()
                sweeping.cancel()

    def moment_passes(self) -> None:
        self.clock.advance(seconds=1)

    def settle(self) -> None:
        """Let everything happen that needs no further event."""
        self.run(self.db.calm())
        self.listen()
        if self.line is not None and self.line.closed:
            self.forget_line()

    def listen(self) -> None:
        """Hold every CALL of the central system against the standard and against the CALLs before it."""
        if self.line is None:
            return
        for at, frame in self.line.heard[self.read :]:
            if frame[0] == 2:
                _, message_id, action, payload = frame
                assert violations(self.version, action, payload, answer=False) == []
                assert self.registration == "Accepted" or action not in STARTS
                assert self.registration != "Rejected"
                waiting = {one: sent for one, (sent, _) in self.asked.items() if at - sent < ANSWER_S}
                assert waiting == {}, "one CALL at a time"
                self.late += [(one, action) for one, (_, action) in self.asked.items()]
                self.asked = {message_id: (at, action)}
            elif frame[0] == 3 and "interval" in frame[2]:  # a boot is answered: from here on it counts
                self.registration = frame[2]["status"]
        self.read = len(self.line.heard)

    def forget_line(self) -> None:
        self.line = None
        self.read = 0
        self.late += [(one, action) for one, (_, action) in self.asked.items()]
        self.asked = {}

    def call(self, action: str, payload: dict[str, Any]) -> list[Any]:
        return self.say(action, json.dumps([2, f"m{next(self.messages)}", action, payload]))

    def say(self, action: str, text: str) -> list[Any]:
        """Say one CALL; return its answer, of which there is exactly one."""
        line = self.line
        assert line is not None
        message_id = text.split('"')[1]
        line.say(text)
        self.settle()
        (answer,) = [frame for _, frame in line.heard if frame[0] != 2 and frame[1] == message_id]
        if answer[0] == 3:
            assert violations(self.version, action, answer[2], answer=True) == []
        else:
            assert action not in CARRIES
        return answer

    # --- the line -----------------------------------------------------------------------------------------

    @initialize()
    def comes_to_life(self) -> None:
        self.dial()
        self.boots("accept")

    @precondition(lambda self: self.line is None)
    @rule()
    def comes_back(self) -> None:
        self.dial()

    @precondition(lambda self: self.line is None and self.waiting)
    @rule()
    def comes_back_and_tells_all_that_waited(self) -> None:
        self.dial()
        while self.waiting:
            self.deliver(0)

    @precondition(lambda self: self.line is not None)
    @rule()
    def dials_before_its_old_socket_is_gone(self) -> None:
        self.dial()

    def dial(self) -> None:
        """A socket that is still there is replaced: it comes from the same address."""
        self.moment_passes()
        admitted = self.run(self.service.authenticate(self.identity, SECRET.encode()))
        assert isinstance(admitted, Station)
        if self.line is not None:
            self.forget_line()
        self.line = MemoryLine()
        self.tasks_create(self.central.attend(admitted, self.version, self.line))
        self.settle()
        assert self.service.registry.connected(self.identity)

    def tasks_create(self, work: Any) -> None:
        async def begin() -> None:
            self.tasks.create_task(work)

        self.run(begin())

    @precondition(lambda self: self.line is not None)
    @rule(password=st.sampled_from([b"wrong", None]), identity=st.sampled_from(["own", "STRANGER"]))
    def somebody_else_dials(self, password: bytes | None, identity: str) -> None:
        named = self.identity if identity == "own" else identity
        assert self.run(self.service.authenticate(named, password)) is Denial.CREDENTIALS
        assert self.service.registry.connected(self.identity)

    @precondition(lambda self: self.line is not None)
    @rule()
    def line_is_lost(self) -> None:
        assert self.line is not None
        self.line.lose()
        self.forget_line()
        self.settle()
        assert not self.service.registry.connected(self.identity)

    @precondition(lambda self: self.line is not None)
    @rule(policy=st.sampled_from(["accept", "accept", "pending", "reject"]))
    def boots(self, policy: str) -> None:
        """As its operator wants its boots to be answered by now."""

        async def unit(tx: Tx) -> None:
            await tx.execute(
                update(charging_stations)
                .where(charging_stations.c.identity == self.identity)
                .values(boot_policy=None if policy == "accept" else policy)
            )

        self.moment_passes()
        self.run(self.db.write(TESTS, unit))
        expected = {"accept": "Accepted", "pending": "Pending", "reject": "Rejected"}[policy]
        answer = self.call("BootNotification", boot_payload(self.version.value))
        assert (answer[0], answer[2]["status"]) == (3, expected)

    # --- what it shows ------------------------------------------------------------------------------------

    @precondition(lambda self: self.line is not None)
    @rule(evse_id=st.sampled_from(EVSES), data=st.data(), late_s=st.sampled_from([0, 0, 1, 5, 3600]))
    def status(self, evse_id: int, data: st.DataObject, late_s: int) -> None:
        """A status of now, or of a while ago that comes only now."""
        self.moment_passes()
        word, at = (
            data.draw(st.sampled_from(STATUSES[self.version])),
            self.clock.now() - timedelta(seconds=late_s),
        )
        if self.version is Version.V16:
            told = {"connectorId": evse_id, "errorCode": "NoError", "status": word}
        else:
            told = {"evseId": evse_id, "connectorId": 1, "connectorStatus": word}
        answer = self.call("StatusNotification", {**told, "timestamp": format_instant(at)})
        if self.version is Version.V201 and self.registration != "Accepted":
            assert answer[:1] + answer[2:3] == [4, "SecurityError"]
            return
        assert answer[2] == {}
        if evse_id not in self.shown or at >= self.shown[evse_id][0]:
            self.shown[evse_id] = (at, word)

    # --- charges ------------------------------------------------------------------------------------------

    def happens(self, charge: Charge, kind: str, *, now: bool) -> None:
        """Something happens to a charge; told now if the line and what waits before it allow that."""
        self.moment_passes()
        register = self.meter_wh[charge.evse_id]
        offline = self.line is None
        self.waiting.append(Message(charge, charge.told, kind, self.clock.now(), register, offline))
        charge.told += 1
        if now and self.line is not None and len(self.waiting) == 1:
            self.deliver(0)

    @rule(evse_id=st.sampled_from(EVSES), now=MOSTLY)
    def charge_starts(self, evse_id: int, now: bool) -> None:
        """Of a charge still going at this EVSE the end is lost for ever."""
        key = f"t{len(self.charges)}" if self.version is Version.V201 else None
        charge = self.charging[evse_id] = Charge(evse_id, key)
        self.charges.append(charge)
        self.happens(charge, "Started", now=now)

    @precondition(lambda self: self.charging)
    @rule(data=st.data(), delivered_wh=st.integers(0, 300), now=MOSTLY)
    def charge_goes_on(self, data: st.DataObject, delivered_wh: int, now: bool) -> None:
        charge = self.charging[data.draw(st.sampled_from(sorted(self.charging)))]
        self.meter_wh[charge.evse_id] += delivered_wh
        self.happens(charge, "Updated", now=now)

    @precondition(lambda self: self.charging)
    @rule(data=st.data(), delivered_wh=st.integers(0, 300), now=MOSTLY)
    def charge_ends(self, data: st.DataObject, delivered_wh: int, now: bool) -> None:
        charge = self.charging.pop(data.draw(st.sampled_from(sorted(self.charging))))
        self.meter_wh[charge.evse_id] += delivered_wh
        self.happens(charge, "Ended", now=now)

    @precondition(lambda self: self.line is not None and not self.waiting)
    @rule(evse_id=st.sampled_from(EVSES), delivered_wh=st.integers(0, 300), data=st.data())
    def charge_is_told_from_start_to_end(self, evse_id: int, delivered_wh: int, data: st.DataObject) -> None:
        """After the fact; events of 2.0.1 in any order."""
        self.charge_starts(evse_id, now=False)
        self.charge_goes_on(data, delivered_wh, now=False)
        self.charge_ends(data, delivered_wh, now=False)
        while self.waiting:
            self.what_waited_is_told(data)

    @precondition(lambda self: self.line is not None and self.waiting)
    @rule(data=st.data())
    def what_waited_is_told(self, data: st.DataObject) -> None:
        """In order; events of 2.0.1 name their charge and may come in any."""
        last = 0 if self.version is Version.V16 else len(self.waiting) - 1
        self.deliver(data.draw(st.integers(0, last)))

    def deliver(self, place: int) -> None:
        message = self.waiting.pop(place)
        self.tell(message)
        message.charge.heard[message.number] = message
        self.delivered.append(message)

    @precondition(lambda self: self.line is not None and self.delivered)
    @rule(data=st.data())
    def something_is_told_again(self, data: st.DataObject) -> None:
        self.tell(data.draw(st.sampled_from(self.delivered)))

    def tell(self, message: Message) -> None:
        action, payload = message.call(self.version)
        kind, _, answer = self.call(action, payload)
        assert kind == 3
        if action == "StartTransaction":
            assert message.charge.row_key in (None, str(answer["transactionId"]))
            message.charge.row_key = str(answer["transactionId"])

    @precondition(lambda self: self.line is not None)
    @rule(data=st.data())
    def a_transaction_message_is_broken(self, data: st.DataObject) -> None:
        """It is kept and answered: a CALLERROR would make the station drop what it tries to say."""
        actions = (
            ["StartTransaction", "StopTransaction"] if self.version is Version.V16 else ["TransactionEvent"]
        )
        action = data.draw(st.sampled_from(actions))
        rest = data.draw(st.sampled_from(["{}]", '{"evse":', '"text"]', '{"timestamp":"yesterday"}]']))
        if (action, rest) in _READABLE:
            return
        answer = self.say(action, f'[2,"m{next(self.messages)}","{action}",{rest}')
        assert answer[0] == 3

    # --- commands -----------------------------------------------------------------------------------------

    @rule(data=st.data(), how=st.sampled_from(["accepts", "fails", "is busy", None, None]))
    def manager_orders(self, data: st.DataObject, how: str | None) -> None:
        """Answered at once where `how` says so, if it is sent at once."""
        action = data.draw(st.sampled_from(sorted(ORDERS[self.version])))
        self.moment_passes()
        result = self.run(self.commands.enqueue("org", self.identity, action, ORDERS[self.version][action]))
        assert isinstance(result, CommandResult)
        self.orders.append(result.id)
        self.settle()
        if how is not None and self.asked:
            self.answers(how)

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def manager_cancels(self, data: st.DataObject) -> None:
        """What is on the wire cannot be taken back; the rest is never sent, or has been."""
        number = data.draw(st.sampled_from(self.orders))
        result = self.run(self.commands.cancel("org", self.identity, number))
        if isinstance(result, Refused):
            assert result.code in {"already_sent", "already_ended"}
        else:
            assert result.state is CommandState.CANCELLED
        self.settle()

    @precondition(lambda self: self.line is not None and self.asked)
    @rule(how=st.sampled_from(["accepts", "accepts", "fails", "is busy"]))
    def answers_in_time(self, how: str) -> None:
        self.answers(how)

    def answers(self, how: str) -> None:
        ((message_id, (_, action)),) = self.asked.items()
        self.asked = {}
        self.answer(message_id, action, how)

    @precondition(lambda self: self.line is not None and self.late)
    @rule(how=st.sampled_from(["accepts", "fails", "is busy"]), data=st.data())
    def answers_late(self, how: str, data: st.DataObject) -> None:
        """Also on another line than the one it was asked on, and what nobody has asked."""
        message_id, action = data.draw(st.sampled_from([*self.late, ("nobody", "Reset")]))
        self.answer(message_id, action, how)

    def answer(self, message_id: str, action: str, how: str) -> None:
        assert self.line is not None
        payload = ANSWERS.get(action, {"status": "Accepted"})
        code = "NotSupported" if how == "fails" else "InternalError"
        frame = [3, message_id, payload] if how == "accepts" else [4, message_id, code, "", {}]
        self.line.say(json.dumps(frame))
        self.settle()

    # --- time ---------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([2, 31, 125, 700]))
    def time_passes(self, seconds: int) -> None:
        loop = self.runner.get_loop()
        assert isinstance(loop, MovableLoop)
        loop.moved_s += seconds
        self.clock.advance(seconds=seconds)
        self.commands.ring()
        self.settle()

    @rule()
    def lost_ends_are_presumed(self) -> None:
        """Whatever a station has lost: after the sweep one charge at most is open at each EVSE."""
        self.time_passes(AWAY_S)
        self.run(self.presuming.end_due())
        open_at = [row["evse_id"] for row in self.run(self.rows()) if row["state"] == State.OPEN.value]
        assert len(open_at) == len(set(open_at))

    # --- what always holds --------------------------------------------------------------------------------

    async def rows(self) -> list[dict[str, Any]]:
        async with self.db.read(TESTS) as reader:
            return await reader.all(select(charging_transactions).order_by(charging_transactions.c.id))

    @invariant()
    def each_charge_is_one_row_with_the_energy_it_told(self) -> None:
        heard = {charge.row_key: charge for charge in self.charges if charge.heard}
        rows = {row["ocpp_transaction_id"]: row for row in self.run(self.rows())}
        assert rows.keys() == heard.keys()
        for key, charge in heard.items():
            state = State(rows[key]["state"])
            ended = any(one.kind == "Ended" for one in charge.heard.values())
            assert state is State.ENDED or not ended
            assert rows[key]["evse_id"] == charge.evse_id
            assert rows[key]["energy_wh"] == charge.energy_wh(state)
            assert (rows[key]["energy_wh"] or 0) >= 0

    @invariant()
    def each_evse_shows_the_latest_status_by_the_time_of_the_station(self) -> None:
        async def stored() -> dict[int, tuple[datetime | None, str]]:
            async with self.db.read(TESTS) as reader:
                rows = await reader.all(select(evses).where(evses.c.charging_station == self.identity))
            return {row["evse_id"]: (row["status_at"], row["status"]) for row in rows}

        unknown = (None, ConnectorStatus.UNKNOWN.value)
        assert self.run(stored()) == {evse_id: self.shown.get(evse_id, unknown) for evse_id in EVSES}

    @invariant()
    def one_command_at_most_is_on_its_way(self) -> None:
        async def sent() -> set[str]:
            async with self.db.read(TESTS) as reader:
                rows = await reader.all(select(commands).where(commands.c.state == CommandState.SENT.value))
            return {row["id"] for row in rows}

        assert self.run(sent()) <= {message_id.partition(".")[0] for message_id in self.asked}

    def teardown(self) -> None:
        """The journals alone give the charges as they are stored."""
        try:
            live, rebuilt = self.run(live_and_rebuilt(self.db, self.identity, self.version))
            assert rebuilt == live
        finally:
            self.run(self.end())
            self.runner.close()

    async def end(self) -> None:
        if self.line is not None:
            self.line.lose()
        self.over.set()
        await self.serving


_NUMBERS = itertools.count()
# A stop with an id, a time and nothing else can be used: it stands for a charge whose start was lost.
_READABLE = {("StopTransaction", "{}]"), ("StopTransaction", '{"timestamp":"yesterday"}]')}


@pytest.fixture(scope="module")
def template(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file with the stations in it, copied for every example."""
    path = tmp_path_factory.mktemp("stations") / "template.db"
    shutil.copyfile(sqlite_template, path)

    async def populate() -> None:
        async with Database.open(f"sqlite:///{path}", clock=FixedClock(NOW)) as db:
            await write_stations(db)

    asyncio.run(populate())
    return path


@pytest.mark.parametrize("version", Version)
def test_a_station_in_any_order_of_events(version: Version, template: Path, tmp_path: Path) -> None:
    class OneStation(StationMachine):
        def __init__(self) -> None:
            super().__init__(version, template, tmp_path)

    run_state_machine_as_test(OneStation, settings=settings(max_examples=EXAMPLES, stateful_step_count=STEPS))
