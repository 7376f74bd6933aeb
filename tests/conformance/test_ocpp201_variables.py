"""OCPP 2.0.1: variables, network profiles and monitoring, each item of an answer judged for itself."""

from __future__ import annotations

from typing import Any

import pytest

from supervision.csms.commands import CommandState
from supervision.csms.judgement import ItemVerdict, Verdict, VerdictKind
from supervision.store.db import Database
from supervision.store.schema import commands
from tests.conformance.play import ACCEPTED, MORNING, Json, command, kept_as_given, rows, station
from tests.integration.ocpp_client import V201, Responder, Server

CS = "CS201"
DONE, REFUSED, PARTLY = VerdictKind.DONE, VerdictKind.REFUSED, VerdictKind.PARTLY


def named(component: str, variable: str, **more: Any) -> Json:
    """Name a variable; `more` goes beside the names."""
    return {"component": {"name": component}, "variable": {"name": variable}, **more}


def failed(subject: str, word: str) -> ItemVerdict:
    """One item that was refused."""
    return ItemVerdict(subject=subject, kind=REFUSED, word=word)


async def judged(server: Server, action: str, payload: Json, answer: Json) -> Verdict:
    """Send as given, answer as given; the verdict is that of the result and of the row read again."""
    await kept_as_given(server, CS, V201, action, payload, answer)
    async with server.station(CS, V201, respond=lambda _action, _payload: answer):
        result = await command(server, CS, action, payload)
    again = await server.commands.result("org", result.id)
    assert again is not None
    assert result.verdict is not None
    assert again.verdict == result.verdict
    return result.verdict


HEARTBEAT = named("OCPPCommCtrlr", "HeartbeatInterval")
OFFLINE = named("OCPPCommCtrlr", "OfflineThreshold")
STRANGE = named("NobodyCtrlr", "Nothing")
MISSING = named("OCPPCommCtrlr", "Nothing")


@pytest.mark.parametrize(
    ("wanted", "results", "verdict"),
    [
        pytest.param(
            [OFFLINE],
            [{**OFFLINE, "attributeStatus": "Accepted", "attributeValue": "60"}],
            Verdict(kind=DONE),
            id="TC_B_06",
        ),
        pytest.param(
            [OFFLINE, STRANGE, MISSING],
            [
                {**OFFLINE, "attributeStatus": "Accepted", "attributeValue": "60"},
                {**STRANGE, "attributeStatus": "UnknownComponent"},
                {**MISSING, "attributeStatus": "UnknownVariable"},
            ],
            Verdict(
                kind=PARTLY,
                items=(
                    failed("NobodyCtrlr.Nothing", "UnknownComponent"),
                    failed("OCPPCommCtrlr.Nothing", "UnknownVariable"),
                ),
            ),
            id="TC_B_07",
        ),
    ],
)
async def test_variables_are_read(
    server: Server, wanted: list[Json], results: list[Json], verdict: Verdict
) -> None:
    answer = {"getVariableResult": results}
    assert await judged(server, "GetVariables", {"getVariableData": wanted}, answer) == verdict


def limited(action: str, component: str, limit: int) -> Json:
    """The variable that tells how many items of an action the station takes at once, with its value."""
    variable = {"name": "ItemsPerMessage", "instance": action}
    told = {"attributeStatus": "Accepted", "attributeValue": str(limit)}
    return {"component": {"name": component}, "variable": variable, **told}


def reading(limits: list[Json]) -> Responder:
    """A station that tells its limits and gives every other variable the value 1."""

    def respond(action: str, payload: Json) -> Json:
        if action == "ClearVariableMonitoring":
            return {"clearMonitoringResult": [{"id": n, "status": "Accepted"} for n in payload["id"]]}
        told = {one["variable"]["instance"]: one for one in limits}
        results = [
            told.get(one["variable"].get("instance", ""))
            or {**one, "attributeStatus": "Accepted", "attributeValue": "1"}
            for one in payload["getVariableData"]
        ]
        return {"getVariableResult": results}

    return respond


async def test_TC_B_08_no_more_variables_at_once_than_the_station_takes(
    server: Server, sqlite_db: Database
) -> None:
    limit = limited("GetVariables", "DeviceDataCtrlr", 4)
    asked = {"component": limit["component"], "variable": limit["variable"]}
    wanted = [named("C", f"V{n}") for n in range(5)]
    async with server.station(CS, V201, respond=reading([limit])) as point:
        await command(server, CS, "GetVariables", {"getVariableData": [asked]})
        result = await command(server, CS, "GetVariables", {"getVariableData": wanted})
    assert (await station(sqlite_db, CS))["capabilities"] == {"items_per_message": {"GetVariables": 4}}
    assert [call[3] for call in point.commands[1:]] == [
        {"getVariableData": wanted[:4]},
        {"getVariableData": wanted[4:]},
    ]
    assert (result.state, result.verdict) == (CommandState.ANSWERED, Verdict(kind=DONE))
    assert result.response is not None
    assert [one["variable"]["name"] for one in result.response["getVariableResult"]] == [
        f"V{n}" for n in range(5)
    ]
    kept = [row["response"] for row in await rows(sqlite_db, commands) if row["id"] == result.id]
    assert kept == [result.response]


@pytest.mark.parametrize(
    ("wanted", "results", "verdict"),
    [
        pytest.param(
            [{**OFFLINE, "attributeValue": "123"}],
            [{**OFFLINE, "attributeStatus": "Accepted"}],
            Verdict(kind=DONE),
            id="TC_B_09",
        ),
        pytest.param(
            [{**OFFLINE, "attributeValue": "123"}, {**HEARTBEAT, "attributeValue": "-5"}],
            [{**OFFLINE, "attributeStatus": "Accepted"}, {**HEARTBEAT, "attributeStatus": "Rejected"}],
            Verdict(kind=PARTLY, items=(failed("OCPPCommCtrlr.HeartbeatInterval", "Rejected"),)),
            id="TC_B_10",
        ),
    ],
)
async def test_variables_are_set(
    server: Server, wanted: list[Json], results: list[Json], verdict: Verdict
) -> None:
    answer = {"setVariableResult": results}
    assert await judged(server, "SetVariables", {"setVariableData": wanted}, answer) == verdict


PROFILE: Json = {
    "configurationSlot": 1,
    "connectionData": {
        "ocppVersion": "OCPP20",
        "ocppTransport": "JSON",
        "ocppCsmsUrl": "wss://csms.example/ocpp",
        "messageTimeout": 30,
        "securityProfile": 2,
        "ocppInterface": "Wired0",
    },
}


@pytest.mark.parametrize(
    ("word", "kind"),
    [pytest.param("Accepted", DONE, id="TC_B_42"), pytest.param("Failed", REFUSED, id="TC_B_44")],
)
async def test_a_network_profile_is_set(server: Server, word: str, kind: VerdictKind) -> None:
    verdict = await judged(server, "SetNetworkProfile", PROFILE, {"status": word})
    assert verdict == Verdict(kind=kind, word=word)


async def test_TC_N_05_monitoring_base_is_set(server: Server) -> None:
    verdict = await judged(server, "SetMonitoringBase", {"monitoringBase": "All"}, ACCEPTED)
    assert verdict == Verdict(kind=DONE, word="Accepted")


@pytest.mark.parametrize(
    ("severity", "word", "kind"),
    [pytest.param(4, "Accepted", DONE, id="TC_N_16"), pytest.param(10, "Rejected", REFUSED, id="TC_N_17")],
)
async def test_a_monitoring_level_is_set(server: Server, severity: int, word: str, kind: VerdictKind) -> None:
    verdict = await judged(server, "SetMonitoringLevel", {"severity": severity}, {"status": word})
    assert verdict == Verdict(kind=kind, word=word)


POWER = named("EVSE", "Power", type="UpperThreshold", severity=8)
ALIGNED = named("ChargingStation", "ACCurrent", type="Delta", severity=4)
PERIODIC = named("EVSE", "AvailabilityState", type="Periodic", severity=8)


@pytest.mark.parametrize(
    ("wanted", "results", "verdict"),
    [
        pytest.param(
            [{**POWER, "value": 11000}],
            [{**POWER, "id": 1, "status": "Accepted"}],
            Verdict(kind=DONE),
            id="TC_N_08",
        ),
        pytest.param(
            [{**POWER, "value": 11000}, {**ALIGNED, "value": 2}],
            [{**POWER, "id": 1, "status": "Accepted"}, {**ALIGNED, "status": "UnsupportedMonitorType"}],
            Verdict(
                kind=PARTLY, items=(failed("ChargingStation.ACCurrent Delta", "UnsupportedMonitorType"),)
            ),
            id="TC_N_09",
        ),
    ],
)
async def test_monitors_are_set(
    server: Server, wanted: list[Json], results: list[Json], verdict: Verdict
) -> None:
    answer = {"setMonitoringResult": results}
    assert await judged(server, "SetVariableMonitoring", {"setMonitoringData": wanted}, answer) == verdict


async def test_TC_N_24_a_periodic_monitor_is_set_and_its_events_are_taken(server: Server) -> None:
    wanted = {"setMonitoringData": [{**PERIODIC, "value": 10}]}
    answer = {"setMonitoringResult": [{**PERIODIC, "id": 7, "status": "Accepted"}]}
    event = {
        "eventId": 1,
        "timestamp": MORNING,
        "trigger": "Periodic",
        "actualValue": "Available",
        "eventNotificationType": "CustomMonitor",
        "variableMonitoringId": 7,
        **named("EVSE", "AvailabilityState"),
    }
    async with server.station(CS, V201, respond=lambda _action, _payload: answer) as point:
        result = await command(server, CS, "SetVariableMonitoring", wanted)
        told = {"generatedAt": MORNING, "seqNo": 0, "eventData": [event]}
        assert await point.answer("NotifyEvent", told) == {}
    assert (result.response, result.verdict) == (answer, Verdict(kind=DONE))
    assert [call[2:] for call in point.commands] == [["SetVariableMonitoring", wanted]]


async def test_TC_N_18_no_more_monitors_cleared_at_once_than_the_station_takes(server: Server) -> None:
    limit = limited("ClearVariableMonitoring", "MonitoringCtrlr", 2)
    asked = {"component": limit["component"], "variable": limit["variable"]}
    async with server.station(CS, V201, respond=reading([limit])) as point:
        await command(server, CS, "GetVariables", {"getVariableData": [asked]})
        result = await command(server, CS, "ClearVariableMonitoring", {"id": [1, 2, 3]})
    assert [call[3] for call in point.commands[1:]] == [{"id": [1, 2]}, {"id": [3]}]
    assert result.response == {
        "clearMonitoringResult": [{"id": number, "status": "Accepted"} for number in (1, 2, 3)]
    }
    assert result.verdict == Verdict(kind=DONE)


async def test_TC_N_44_a_monitor_that_stays_is_told(server: Server) -> None:
    results = [{"id": 1, "status": "Accepted"}, {"id": 2, "status": "Rejected"}]
    verdict = await judged(
        server, "ClearVariableMonitoring", {"id": [1, 2]}, {"clearMonitoringResult": results}
    )
    assert verdict == Verdict(kind=PARTLY, items=(failed("2", "Rejected"),))
