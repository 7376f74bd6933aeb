"""Stations relayed to a second backend that fails on demand, over real websockets on both sides."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select
from websockets.asyncio.server import ServerConnection, serve

from supervision.clock import FixedClock, ScaledClock
from supervision.csms.journal import KEPT_FOR_RELAYS, JournalService
from supervision.csms.relay.service import Wish
from supervision.kernel.errors import Refused
from supervision.log import JsonFormatter
from supervision.store.db import Database, across_tenants
from supervision.store.schema import commands, frames, metadata, relay_charging_ids, relays
from tests.conftest import NOW
from tests.integration.ocpp_client import V16, V201, ChargePoint, basic, until, write_stations
from tests.integration.relaying import PATIENT, SOON_TIRED, Owner, Relaying, relaying_system
from tests.integration.second_backend import Fault, SecondBackend, second_backend

ALL = across_tenants("tests look at everything")
BADGE = "04A1B2C3"
START = {"connectorId": 1, "idTag": BADGE, "meterStart": 1000, "timestamp": "2026-11-21T08:00:00Z"}
VALUE = {"timestamp": "2026-11-21T08:30:00Z", "sampledValue": [{"value": "1500"}]}
REGISTERED = [("StartTransaction", START)]


def values(number: int) -> dict[str, Any]:
    return {"connectorId": 1, "transactionId": number, "meterValue": [VALUE]}


def stop(number: int) -> dict[str, Any]:
    return {"transactionId": number, "meterStop": 1900, "timestamp": "2026-11-21T09:00:00Z"}


def status(word: str, minute: int = 0) -> dict[str, Any]:
    at = f"2026-11-21T08:{minute:02d}:00Z"
    return {"connectorId": 1, "errorCode": "NoError", "status": word, "timestamp": at}


def event(kind: str, seq: int, **more: Any) -> dict[str, Any]:
    return {
        "eventType": kind,
        "timestamp": f"2026-11-21T08:{10 * seq:02d}:00Z",
        "triggerReason": "Trigger",
        "seqNo": seq,
        "transactionInfo": {"transactionId": "tx-1"},
        "evse": {"id": 1},
        **more,
    }


async def charge(point: ChargePoint) -> int:
    """One whole charge of 1.6; return our id."""
    number: int = (await point.answer("StartTransaction", START))["transactionId"]
    await point.answer("MeterValues", values(number))
    await point.answer("StopTransaction", stop(number))
    return number


def charge_there(number: int) -> list[tuple[str, dict[str, Any]]]:
    """The same charge as the second backend holds it."""
    return [
        ("StartTransaction", START),
        ("MeterValues", values(number)),
        ("StopTransaction", stop(number)),
    ]


@asynccontextmanager
async def relayed(
    db: Database, identity: str = "CP16", **options: Any
) -> AsyncIterator[tuple[Relaying, SecondBackend]]:
    """A station with a second backend."""
    wish = {name: options.pop(name) for name in ("owner", "password") if name in options}
    await write_stations(db)
    clock = ScaledClock(origin=NOW, speed=100)
    async with second_backend() as backend, relaying_system(db, clock, **options) as system:
        await system.begin(identity, backend.url, **wish)
        yield system, backend


# --- charges ----------------------------------------------------------------------------------------------


async def test_charge_of_16_is_told_under_the_backends_own_id(db: Database) -> None:
    async with relayed(db) as (system, backend), system.server.station() as point:
        number = await charge(point)
        state = await system.settled("CP16")
    assert number != 7000
    assert backend.charges == {7000: charge_there(7000)}
    assert backend.actions()[0] == "BootNotification"
    assert (state["delivered"], state["refused"], state["lost"], state["error"]) == (3, 0, 0, None)


async def test_charge_of_201_is_told_as_the_station_said_it(sqlite_db: Database) -> None:
    said = [event("Started", 0), event("Updated", 1), event("Ended", 2)]
    async with (
        relayed(sqlite_db, "CS201") as (system, backend),
        system.server.station("CS201", V201) as point,
    ):
        for one in said:
            await point.answer("TransactionEvent", one)
        await system.settled("CS201")
    assert backend.charges == {"tx-1": [(one["eventType"], one) for one in said]}


async def test_live_messages_are_mirrored_and_what_is_ours_alone_is_not(sqlite_db: Database) -> None:
    async with relayed(sqlite_db) as (system, backend), system.server.station() as point:
        await until(lambda: backend.actions() == ["BootNotification"])
        await system.settled("CP16")
        await point.answer("StatusNotification", status("Preparing"))
        await point.answer("Heartbeat", {})
        await point.answer("SignCertificate", {"csr": "nonsense"})
        await point.answer("Authorize", {"idTag": BADGE})
        await system.settled("CP16")
    assert backend.actions() == ["BootNotification", "StatusNotification", "Authorize"]


@pytest.mark.parametrize("fault", [Fault.SILENT, Fault.WRONG_ID, Fault.CLOSE, Fault.CLOSE_AFTER])
@pytest.mark.parametrize("action", ["StartTransaction", "MeterValues", "StopTransaction"])
async def test_message_of_a_charge_left_without_answer_is_told_again_under_its_id(
    sqlite_db: Database, action: str, fault: Fault
) -> None:
    silent = fault in {Fault.SILENT, Fault.WRONG_ID}
    patience = SOON_TIRED if silent else PATIENT
    async with relayed(sqlite_db, patience=patience) as (system, backend), system.server.station() as point:
        backend.faults[action] = [fault]
        await charge(point)
        state = await system.settled("CP16")
    ids = [message_id for message_id, name, _ in backend.calls if name == action]
    assert len(set(ids)) == 1
    assert len(ids) >= (1 if fault is Fault.CLOSE else 2)
    assert [one for one, _ in itertools.groupby(backend.charges[7000])] == charge_there(7000)
    assert state["error"] == ("silent" if silent else "line_lost")
    assert (state["delivered"], state["refused"], state["lost"]) == (3, 0, 0)


async def test_message_of_a_charge_refused_for_a_while_is_told_again_under_new_ids(
    sqlite_db: Database,
) -> None:
    async with relayed(sqlite_db) as (system, backend), system.server.station() as point:
        backend.faults["StopTransaction"] = [Fault.ERROR, Fault.ERROR]
        await charge(point)
        state = await system.settled("CP16")
    ids = [message_id for message_id, name, _ in backend.calls if name == "StopTransaction"]
    assert [message_id.partition(".")[2] for message_id in ids] == ["1", "2", "3"]
    assert backend.charges == {7000: charge_there(7000)}
    assert (state["delivered"], state["refused"], state["error"]) == (3, 0, "call_refused")


async def test_message_of_a_charge_refused_for_good_is_counted_and_holds_nothing_up(
    sqlite_db: Database,
) -> None:
    async with relayed(sqlite_db) as (system, backend), system.server.station() as point:
        backend.faults["MeterValues"] = [Fault.ERROR] * 3
        await charge(point)
        state = await system.settled("CP16")
        answers = await system.relays.answers("org", "CP16")
    assert backend.charges == {7000: [charge_there(7000)[0], charge_there(7000)[2]]}
    assert len(backend.told("MeterValues")) == 3
    assert (state["delivered"], state["refused"]) == (2, 1)
    assert sum('"InternalError"' in one["answer"] for one in answers.items) == 3


@pytest.mark.parametrize(
    ("faults", "error"), [([Fault.NONSENSE], "invalid_answer"), ([Fault.ERROR] * 3, "call_refused")]
)
async def test_charge_whose_id_was_never_learned_is_told_as_one_whose_start_was_lost(
    sqlite_db: Database, faults: list[Fault], error: str
) -> None:
    async with relayed(sqlite_db) as (system, backend), system.server.station() as point:
        backend.faults["StartTransaction"] = faults
        await charge(point)
        state = await system.settled("CP16")
    assert backend.told("MeterValues") == [{"connectorId": 1, "meterValue": [VALUE]}]
    assert backend.told("StopTransaction") == [stop(-1)]
    assert state["error"] == error


async def test_station_open_since_before_the_relay_is_told_with_its_start(sqlite_db: Database) -> None:
    await write_stations(sqlite_db)
    clock = ScaledClock(origin=NOW, speed=100)
    async with (
        second_backend() as backend,
        relaying_system(sqlite_db, clock) as system,
        system.server.station() as point,
    ):
        await charge(point)
        later = {**START, "timestamp": "2026-11-21T10:00:00Z"}
        number = (await point.answer("StartTransaction", later))["transactionId"]
        await system.begin("CP16", backend.url)
        await point.answer("StopTransaction", stop(number))
        await system.settled("CP16")
    assert backend.charges == {7000: [("StartTransaction", later), ("StopTransaction", stop(7000))]}


async def test_event_of_201_open_since_before_the_relay_is_told_from_its_start(sqlite_db: Database) -> None:
    await write_stations(sqlite_db)
    clock = ScaledClock(origin=NOW, speed=100)
    async with (
        second_backend() as backend,
        relaying_system(sqlite_db, clock) as system,
        system.server.station("CS201", V201) as point,
    ):
        await point.answer("TransactionEvent", event("Started", 0))
        await point.answer("TransactionEvent", event("Updated", 1))
        await system.begin("CS201", backend.url)
        await point.answer("TransactionEvent", event("Ended", 2))
        await system.settled("CS201")
    assert [payload["seqNo"] for payload in backend.told("TransactionEvent")] == [0, 1, 2]


# --- lines ------------------------------------------------------------------------------------------------


async def test_backlog_is_boot_then_newest_statuses_then_charges(sqlite_db: Database) -> None:
    await write_stations(sqlite_db)
    clock = FixedClock(NOW + timedelta(hours=1))
    async with second_backend() as backend, relaying_system(sqlite_db, clock) as system:
        backend.boot_answers = [{"status": "Pending", "interval": 60}]
        await system.begin("CP16", backend.url)
        async with system.server.station() as point:
            await system.troubled("CP16", "boot_pending")
            for minute, word in enumerate(["Preparing", "Charging", "Available"]):
                await point.answer("StatusNotification", status(word, minute))
            await charge(point)
            await point.answer("Heartbeat", {})
            assert backend.actions() == ["BootNotification"]
            clock.advance(seconds=60)
            await system.settled("CP16")
    assert backend.actions() == [
        "BootNotification",
        "BootNotification",
        "StatusNotification",
        "StartTransaction",
        "MeterValues",
        "StopTransaction",
    ]
    assert backend.told("StatusNotification") == [status("Available", 2)]


@pytest.mark.parametrize("word", ["Pending", "Rejected"])
async def test_nothing_is_said_before_the_boot_is_accepted(sqlite_db: Database, word: str) -> None:
    await write_stations(sqlite_db)
    clock = FixedClock(NOW)
    async with second_backend() as backend, relaying_system(sqlite_db, clock) as system:
        backend.boot_answers = [{"status": word, "interval": 900}]
        await system.begin("CP16", backend.url)
        async with system.server.station() as point:
            await system.troubled("CP16", f"boot_{word.lower()}")
            await charge(point)
            clock.advance(seconds=899)
            assert backend.actions() == ["BootNotification"]
            assert (await system.state("CP16"))["connected_at"] is None
            clock.advance(seconds=1)
            await system.settled("CP16")
    assert backend.actions()[:3] == ["BootNotification", "BootNotification", "StartTransaction"]


def has_beaten(backend: SecondBackend, beats: int) -> bool:
    return len(backend.told("Heartbeat")) == beats


async def test_heartbeats_go_at_the_interval_of_the_backend(sqlite_db: Database) -> None:
    await write_stations(sqlite_db)
    clock = FixedClock(NOW)
    async with second_backend() as backend, relaying_system(sqlite_db, clock) as system:
        backend.boot_answers = [{"status": "Accepted", "interval": 120}]
        await system.begin("CP16", backend.url)
        async with system.server.station():
            await system.settled("CP16")
            for beats in (1, 2):
                clock.advance(seconds=119)
                assert len(backend.told("Heartbeat")) == beats - 1
                clock.advance(seconds=1)
                await until(partial(has_beaten, backend, beats))


async def test_station_that_is_away_is_away_there_too(sqlite_db: Database) -> None:
    async with relayed(sqlite_db) as (system, backend):
        async with system.server.station() as point:
            await system.settled("CP16")
            await point.answer("StartTransaction", START)
        state = await system.becomes("CP16", lambda state: state["connected_at"] is None)
        assert (state["waiting"], state["error"]) == (0, None)
        assert backend.charges == {7000: REGISTERED}
        async with system.server.station(boot=False):
            await system.settled("CP16")
    assert len(backend.handshakes) == 2


async def test_relay_follows_what_is_saved_without_a_restart(sqlite_db: Database) -> None:
    async with (
        relayed(sqlite_db) as (system, first),
        second_backend() as other,
        system.server.station() as point,
    ):
        await system.settled("CP16")
        await system.begin("CP16", other.url, known_as="NAMED-THERE")
        await until(lambda: other.actions() == ["BootNotification"])
        await charge(point)
        await system.settled("CP16")
        await system.relays.remove("org", "CP16", by_person_id="m1")
        await charge(point)
    assert first.charges == {}
    assert other.handshakes[0].path == "/there/NAMED-THERE"
    assert len(other.told("StopTransaction")) == 1


async def test_backend_that_hangs_delays_neither_the_station_nor_another_relay(sqlite_db: Database) -> None:
    async with relayed(sqlite_db) as (system, hanging), second_backend() as sound:
        hanging.delay.clear()
        await system.begin("CS201", sound.url)
        async with system.server.station() as one, system.server.station("CS201", V201) as two:
            await charge(one)
            await two.answer("TransactionEvent", event("Started", 0))
            await system.settled("CS201")
            assert hanging.charges == {}
    assert list(sound.charges) == ["tx-1"]


async def test_station_that_changes_its_version_loses_no_charge_on_the_way(sqlite_db: Database) -> None:
    await write_stations(sqlite_db)
    clock = FixedClock(NOW)
    async with second_backend() as backend, relaying_system(sqlite_db, clock) as system:
        backend.boot_answers = [{"status": "Pending", "interval": 60}]
        await system.begin("CP16", backend.url)
        async with system.server.station() as point:
            await system.troubled("CP16", "boot_pending")
            await charge(point)
        async with system.server.station("CP16", V201) as point:
            await point.answer("TransactionEvent", event("Started", 0))
            clock.advance(seconds=60)
            await until(lambda: "tx-1" in backend.charges)
            state = await system.settled("CP16")
    assert backend.charges == {
        7000: charge_there(7000),
        "tx-1": [("Started", event("Started", 0))],
    }
    assert (state["delivered"], state["lost"]) == (4, 0)
    offered = [request.headers["Sec-WebSocket-Protocol"] for request in backend.handshakes]
    assert offered == [V16, V201]


async def test_command_is_followed_to_its_end_though_the_line_is_cut(sqlite_db: Database) -> None:
    asked = asyncio.Event()

    def silent(_action: str, _payload: dict[str, Any]) -> None:
        asked.set()

    async with (
        relayed(sqlite_db, owner=Owner.THERE) as (system, backend),
        system.server.station(respond=silent) as point,
    ):
        await system.settled("CP16")
        await backend.send("a", "UnlockConnector", {"connectorId": 1})
        await asked.wait()
        await backend.cut()
        await system.troubled("CP16", "line_lost")
        _, message_id, _, _ = point.commands[0]
        await point.socket.send(json.dumps([3, message_id, {"status": "Unlocked"}]))

        async def ended() -> bool:
            async with sqlite_db.read(ALL) as reader:
                state: str = await reader.scalar(select(commands.c.state))
                return state == "answered"

        await until(ended)


# --- owner elsewhere --------------------------------------------------------------------------------------


async def test_owner_elsewhere_decides_about_badges_and_the_id_stays_ours(sqlite_db: Database) -> None:
    blocked = {"status": "Blocked", "parentIdTag": "THEIRS"}
    async with relayed(sqlite_db, owner=Owner.THERE) as (system, backend):
        backend.badges[BADGE] = blocked
        async with system.server.station() as point:
            await system.settled("CP16")
            assert await point.answer("Authorize", {"idTag": BADGE}) == {"idTagInfo": blocked}
            started = await point.answer("StartTransaction", START)
            assert started["idTagInfo"] == blocked
            stopped = await point.answer(
                "StopTransaction", {**stop(started["transactionId"]), "idTag": BADGE}
            )
            assert stopped == {"idTagInfo": blocked}
            state = await system.state("CP16")
    assert started["transactionId"] != 7000
    assert state["own_answers"] == 0
    async with sqlite_db.read(ALL) as reader:
        rows = await reader.all(select(frames).where(frames.c.direction == "out").order_by(frames.c.id))
    told = [row["frame"] for row in rows if "StartTransaction" not in row["frame"]]
    assert sum('"Blocked"' in text for text in told) == 3  # what was said stands in the journal too


async def test_owner_elsewhere_says_the_cost_in_201(sqlite_db: Database) -> None:
    token = {"idToken": {"idToken": BADGE, "type": "ISO14443"}}
    async with relayed(sqlite_db, "CS201", owner=Owner.THERE) as (system, backend):
        backend.cost, backend.badges[BADGE] = 4.2, {"status": "NoCredit"}
        async with system.server.station("CS201", V201) as point:
            await system.settled("CS201")
            began = await point.answer("TransactionEvent", event("Started", 0, **token))
            updated = await point.answer("TransactionEvent", event("Updated", 1))
            ended = await point.answer("TransactionEvent", event("Ended", 2))
    assert began == {"idTokenInfo": {"status": "NoCredit"}}
    assert (updated, ended) == ({}, {"totalCost": 4.2})


@pytest.mark.parametrize("how", ["down", "late", "nonsense", "refused", "cut"])
async def test_our_own_answer_stands_when_the_owner_has_none(sqlite_db: Database, how: str) -> None:
    wait_s = 0.1 if how == "late" else 5
    async with relayed(sqlite_db, owner=Owner.THERE, wait_s=wait_s) as (system, backend):
        backend.badges[BADGE] = {"status": "Blocked"}
        if how == "down":
            backend.boot_answers = [{"status": "Pending", "interval": 3600}] * 9
        async with system.server.station() as point:
            if how == "down":
                await system.troubled("CP16", "boot_pending")
            else:
                await system.settled("CP16")
            if how == "late":
                backend.delay.clear()
            backend.faults["Authorize"] = {
                "nonsense": [Fault.NONSENSE],
                "refused": [Fault.ERROR],
                "cut": [Fault.CLOSE],
            }.get(how, [])
            answer = await point.answer("Authorize", {"idTag": BADGE})
            backend.delay.set()
            state = await system.state("CP16")
    assert answer == {"idTagInfo": {"status": "Accepted"}}
    assert state["own_answers"] == 1


async def test_owner_here_is_never_waited_for(sqlite_db: Database) -> None:
    async with relayed(sqlite_db) as (system, backend):
        backend.badges[BADGE] = {"status": "Blocked"}
        backend.delay.clear()
        async with system.server.station() as point:
            started = await point.answer("StartTransaction", START)
            state = await system.state("CP16")
    assert started["idTagInfo"] == {"status": "Accepted"}
    assert state["own_answers"] == 0


# --- CALLs of the backend ---------------------------------------------------------------------------------


async def test_backend_of_a_station_owned_here_commands_nothing(sqlite_db: Database) -> None:
    async with relayed(sqlite_db) as (system, backend), system.server.station() as point:
        await system.settled("CP16")
        start = await backend.ask("a", "RemoteStartTransaction", {"idTag": BADGE})
        configuration = await backend.ask("b", "GetConfiguration", {})
        settings = await backend.ask("c", "ChangeConfiguration", {"key": "K", "value": "1"})
        unknown = await backend.ask("d", "Dance", {})
        assert point.commands == []
    assert start == [3, "a", {"status": "Rejected"}]
    assert [configuration[2], settings[2], unknown[2]] == ["NotSupported", "SecurityError", "NotImplemented"]


async def test_backend_of_a_station_owned_there_commands_it_by_our_queue(sqlite_db: Database) -> None:
    async with relayed(sqlite_db, owner=Owner.THERE) as (system, backend), system.server.station() as point:
        await system.settled("CP16")
        number = (await point.answer("StartTransaction", START))["transactionId"]
        profile = {"chargingProfileId": 1}
        started = await backend.ask(
            "a", "RemoteStartTransaction", {"idTag": "X", "connectorId": 2, "chargingProfile": profile}
        )
        stopped = await backend.ask("b", "RemoteStopTransaction", {"transactionId": 7000})
        unknown = await backend.ask("c", "RemoteStopTransaction", {"transactionId": number})
        broken = await backend.ask("d", "UnlockConnector", {})
        taken = await backend.ask("e", "Reset", {"type": "Hard"})
        calls = [(action, payload) for _, _, action, payload in point.commands]
    assert started == [3, "a", {"status": "Accepted"}]
    assert stopped == [3, "b", {"status": "Accepted"}]
    assert unknown == [3, "c", {"status": "Rejected"}]
    assert (broken[2], taken[2]) == ("FormationViolation", "SecurityError")
    assert calls == [
        ("RemoteStartTransaction", {"idTag": "X", "connectorId": 2}),
        ("RemoteStopTransaction", {"transactionId": number}),
    ]
    async with sqlite_db.read(ALL) as reader:
        rows = await reader.all(select(commands).order_by(commands.c.created_at))
    assert [(row["origin"], row["action"], row["state"]) for row in rows] == [
        ("relay", "RemoteStartTransaction", "answered"),
        ("relay", "RemoteStopTransaction", "answered"),
        ("relay", "UnlockConnector", "refused"),
    ]


async def test_certificate_request_is_not_triggered_for_another_signer(sqlite_db: Database) -> None:
    async with (
        relayed(sqlite_db, "CS201", owner=Owner.THERE) as (system, backend),
        system.server.station("CS201", V201) as point,
    ):
        await system.settled("CS201")
        trigger = {"requestedMessage": "SignChargingStationCertificate"}
        refused = await backend.ask("a", "TriggerMessage", trigger)
        allowed = await backend.ask("b", "TriggerMessage", {"requestedMessage": "Heartbeat"})
        assert len(point.commands) == 1
    assert (refused[2], allowed[2]) == ({"status": "Rejected"}, {"status": "Accepted"})


# --- where, and with which secret -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ws://elsewhere.example/ocpp", "relay_host"),
        ("http://127.0.0.1/ocpp", "relay_url"),
        ("ws://user:pass@127.0.0.1/ocpp", "relay_url"),
        ("ws://127.0.0.1@elsewhere.example/ocpp", "relay_url"),
        ("ws://127.0.0.1/ocpp?x=y", "relay_url"),
        ("ws://127.0.0.1/../admin", "relay_url"),
        ("ws://127.0.0.1:0/ocpp", "relay_url"),
    ],
)
async def test_address_outside_the_operators_list_is_not_saved(
    sqlite_db: Database, url: str, code: str
) -> None:
    async with relayed(sqlite_db) as (system, _):
        refused = await system.relays.save("org", "CP16", Wish(url=url), by_person_id="m1")
    assert isinstance(refused, Refused)
    assert refused.code == code


async def test_address_struck_off_the_list_is_not_dialled(sqlite_db: Database) -> None:
    async with relayed(sqlite_db) as (system, backend), system.server.station():
        await system.settled("CP16")
    before = len(backend.handshakes)
    clock = ScaledClock(origin=NOW, speed=100)
    async with (
        relaying_system(sqlite_db, clock, hosts="elsewhere.example") as system,
        system.server.station(),
    ):
        await system.troubled("CP16", "host_not_allowed")
    assert len(backend.handshakes) == before


async def test_redirect_is_not_followed(sqlite_db: Database) -> None:
    async with relayed(sqlite_db) as (system, backend):

        def elsewhere(connection: Any, _request: Any) -> Any:
            response = connection.respond(302, "")
            response.headers["Location"] = backend.url
            return response

        async with serve(lambda _: asyncio.sleep(0), "127.0.0.1", 0, process_request=elsewhere) as moved:
            await system.begin("CP16", f"ws://127.0.0.1:{moved.sockets[0].getsockname()[1]}/ocpp")
            async with system.server.station():
                await system.troubled("CP16", "handshake_refused")
    assert backend.handshakes == []


async def test_backend_without_our_sub_protocol_is_left(sqlite_db: Database) -> None:
    async with relayed(sqlite_db) as (system, _):

        async def silent(socket: ServerConnection) -> None:
            await socket.wait_closed()

        async with serve(silent, "127.0.0.1", 0) as plain:
            await system.begin("CP16", f"ws://127.0.0.1:{plain.sockets[0].getsockname()[1]}/ocpp")
            async with system.server.station():
                await system.troubled("CP16", "no_sub_protocol", "unreachable")


async def test_password_is_said_to_the_backend_and_to_nobody_else(
    sqlite_db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "kept-by-nobody-who-reads"
    async with relayed(sqlite_db, password=secret) as (system, backend), system.server.station():
        state = await system.settled("CP16")
        kept = []
        async with sqlite_db.read(ALL) as reader:
            for table in metadata.sorted_tables:
                kept += await reader.all(select(table))
    assert backend.handshakes[0].headers["Authorization"] == basic("CP16", secret)["Authorization"]
    assert state["password_set"] is True
    assert secret not in str(state)
    assert secret.encode() not in repr(kept).encode()
    lines = "\n".join(map(JsonFormatter().format, caplog.records))
    assert "relay.connected" in lines
    assert not {secret, basic("CP16", secret)["Authorization"].split()[1]} & set(
        re.findall(r"[\w=-]+", lines)
    )


# --- the journal ------------------------------------------------------------------------------------------


async def test_retention_keeps_what_a_relay_has_not_told_and_counts_what_it_loses(
    db: Database, clock: FixedClock
) -> None:
    await write_stations(db)
    async with second_backend() as backend, relaying_system(db, clock) as system:
        backend.boot_answers = [{"status": "Pending", "interval": 3600}]
        await system.begin("CP16", backend.url)
        async with system.server.station() as point, system.server.station("CS201", V201):
            await charge(point)
            journal = JournalService(db)
            clock.advance(days=1)
            assert await journal.forget_before(clock.now()) > 0
            async with db.read(ALL) as reader:
                left = {row["charging_station"] for row in await reader.all(select(frames))}
            assert left == {"CP16"}
            lost = (await system.state("CP16"))["lost"]
            assert lost == 0
            waiting = (await system.state("CP16"))["waiting"]
            await journal.forget_before(clock.now() + KEPT_FOR_RELAYS + timedelta(days=1))
            assert (await system.state("CP16"))["lost"] == waiting > 0


async def test_ids_of_another_organisations_backend_do_not_exist(sqlite_db: Database) -> None:
    async with relayed(sqlite_db) as (system, _), system.server.station() as point:
        await charge(point)
        await system.settled("CP16")
        stranger = await system.relays.document("rival", "CP16")
        removed = await system.relays.remove("rival", "CP16", by_person_id="m1")
    assert isinstance(stranger, Refused)
    assert isinstance(removed, Refused)
    async with sqlite_db.read(ALL) as reader:
        assert len(await reader.all(select(relays))) == 1
        assert len(await reader.all(select(relay_charging_ids))) == 1
