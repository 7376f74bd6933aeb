"""OCPP 2.0.1: reports that come in pages, of variables, monitors, profiles and customers.

Each test orders a report as an operator does, plays the station's pages, and asserts the frames and the
report as it can be read afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from supervision.clock import FixedClock
from supervision.csms.commands import CommandState
from supervision.store.db import Database
from tests.conformance.play import (
    ACCEPTED,
    MORNING,
    Json,
    by_action,
    command,
    errand,
    report,
    settle,
    station,
)
from tests.integration.ocpp_client import V201, Server

CS = "CS201"
AVAILABILITY: Json = {"component": {"name": "EVSE", "evse": {"id": 1}}, "variable": {"name": "Available"}}
POWER: Json = {"component": {"name": "EVSE", "evse": {"id": 1}}, "variable": {"name": "Power"}}


def variables_page(request_id: int, seq_no: int, items: Sequence[Json], *, more: bool) -> Json:
    data = [{**item, "variableAttribute": [{"value": f"{seq_no}.{n}"}]} for n, item in enumerate(items)]
    page = {"requestId": request_id, "generatedAt": MORNING, "seqNo": seq_no, "reportData": data}
    return {**page, "tbc": True} if more else page


def monitors_page(request_id: int, seq_no: int, items: Sequence[Json], *, more: bool) -> Json:
    settings = {"id": seq_no, "transaction": False, "value": 42.0, "type": "UpperThreshold", "severity": 5}
    data = [{**item, "variableMonitoring": [settings]} for item in items]
    page = {"requestId": request_id, "generatedAt": MORNING, "seqNo": seq_no, "monitor": data}
    return {**page, "tbc": True} if more else page


async def ordered_and_paged(
    server: Server,
    db: Database,
    clock: FixedClock,
    order: tuple[str, Json],
    pages: tuple[str, Sequence[Json]],
    kind: str,
) -> None:
    """The order reaches the station as given; its pages are answered, kept and put in order."""
    async with server.station(CS, V201) as point:
        result = await command(server, CS, *order)
        assert (result.state, result.response) == (CommandState.ANSWERED, ACCEPTED)
        await settle(db, clock)
        assert await errand(db, kind) == ("under_way", "Accepted")
        for page in pages[1]:
            assert await point.answer(pages[0], page) == {}
    assert [frame[2:] for frame in point.commands] == [list(order)]
    assert await errand(db, kind) == ("done", "Reported")
    assert await report(db, clock, CS) == sorted(pages[1], key=lambda page: page.get("seqNo", 0))


# --- B provisioning -----------------------------------------------------------------------------------

ONE_COMPONENT: Json = {
    "requestId": 4,
    "componentCriteria": ["Available"],
    "componentVariable": [AVAILABILITY],
}
BASE_REPORTS = [
    pytest.param("GetBaseReport", {"requestId": 4, "reportBase": base}, id=case)
    for case, base in [
        ("TC_B_12", "ConfigurationInventory"),
        ("TC_B_13", "FullInventory"),
        ("TC_B_14", "SummaryInventory"),
    ]
]


@pytest.mark.parametrize(
    ("action", "wanted"), [*BASE_REPORTS, pytest.param("GetReport", ONE_COMPONENT, id="TC_B_18")]
)
async def test_report_of_variables(
    server: Server, sqlite_db: Database, clock: FixedClock, action: str, wanted: Json
) -> None:
    pages = [
        variables_page(4, 0, [AVAILABILITY], more=True),
        variables_page(4, 1, [POWER], more=False),
    ]
    await ordered_and_paged(server, sqlite_db, clock, (action, wanted), ("NotifyReport", pages), "report")
    known = (await station(sqlite_db, CS))["capabilities"]["variables"]
    assert known == {"EVSE.Available": "0.0", "EVSE.Power": "1.0"}


async def test_report_whose_last_page_overtakes_the_others_is_whole_when_all_are_here(
    server: Server, sqlite_db: Database, clock: FixedClock
) -> None:
    pages = [variables_page(9, n, [POWER], more=n < 2) for n in range(3)]
    async with server.station(CS, V201) as point:
        for page in (pages[2], pages[0], pages[0]):
            assert await point.answer("NotifyReport", page) == {}
        assert await errand(sqlite_db, "report") == ("under_way", "Reporting")
        assert await point.answer("NotifyReport", pages[1]) == {}
    assert await errand(sqlite_db, "report") == ("done", "Reported")
    assert await report(sqlite_db, clock, CS) == pages


async def test_report_asked_again_under_the_same_number_begins_anew(
    server: Server, sqlite_db: Database, clock: FixedClock
) -> None:
    wanted: Json = {"requestId": 4, "reportBase": "FullInventory"}
    old = [variables_page(4, n, [POWER], more=n < 1) for n in range(2)]
    new = [variables_page(4, 0, [AVAILABILITY], more=False)]
    async with server.station(CS, V201) as point:
        for pages in (old, new):
            await command(server, CS, "GetBaseReport", wanted)
            await settle(sqlite_db, clock)
            for page in pages:
                await point.answer("NotifyReport", page)
    assert await report(sqlite_db, clock, CS) == new


async def test_empty_report_is_done_at_once(server: Server, sqlite_db: Database, clock: FixedClock) -> None:
    answers = by_action(GetReport={"status": "EmptyResultSet"})
    async with server.station(CS, V201, respond=answers):
        await command(server, CS, "GetReport", ONE_COMPONENT)
        await settle(sqlite_db, clock)
    assert await errand(sqlite_db, "report") == ("done", "EmptyResultSet")


# --- K smart charging ---------------------------------------------------------------------------------

PROFILE: Json = {
    "id": 11,
    "stackLevel": 2,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Absolute",
    "chargingSchedule": [
        {
            "id": 1,
            "startSchedule": MORNING,
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 8.0}],
        }
    ],
}


def profiles_page(evse_id: int, *, more: bool, source: str = "CSO") -> Json:
    page = {
        "requestId": 5,
        "evseId": evse_id,
        "chargingLimitSource": source,
        "chargingProfile": [{**PROFILE, "id": 10 + evse_id}],
    }
    return {**page, "tbc": True} if more else page


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param({"evseId": 0, "chargingProfile": {}}, id="TC_K_29"),
        pytest.param({"evseId": 1, "chargingProfile": {}}, id="TC_K_30"),
        pytest.param({"chargingProfile": {"chargingProfilePurpose": "TxDefaultProfile"}}, id="TC_K_31"),
        pytest.param({"chargingProfile": {"chargingProfileId": [11]}}, id="TC_K_32"),
        pytest.param({"evseId": 1, "chargingProfile": {"stackLevel": 2}}, id="TC_K_33"),
        pytest.param({"evseId": 1, "chargingProfile": {"chargingLimitSource": ["CSO"]}}, id="TC_K_34"),
        pytest.param(
            {"evseId": 1, "chargingProfile": {"chargingProfilePurpose": "TxDefaultProfile"}}, id="TC_K_35"
        ),
        pytest.param(
            {
                "evseId": 1,
                "chargingProfile": {"chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 2},
            },
            id="TC_K_36",
        ),
    ],
)
async def test_profiles_of_a_station(
    server: Server, sqlite_db: Database, clock: FixedClock, wanted: Json
) -> None:
    evse_id = wanted.get("evseId", 1)
    pages = [profiles_page(evse_id, more=True), profiles_page(evse_id + 1, more=False)]
    await ordered_and_paged(
        server,
        sqlite_db,
        clock,
        ("GetChargingProfiles", {"requestId": 5, **wanted}),
        ("ReportChargingProfiles", pages),
        "charging_profiles",
    )


async def test_page_of_profiles_sent_twice_is_one_page(
    server: Server, sqlite_db: Database, clock: FixedClock
) -> None:
    pages = [profiles_page(1, more=True), profiles_page(1, more=True), profiles_page(2, more=False)]
    async with server.station(CS, V201) as point:
        for page in pages:
            assert await point.answer("ReportChargingProfiles", page) == {}
    assert await report(sqlite_db, clock, CS) == pages[1:]


# --- N diagnostics ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param({"monitoringCriteria": ["ThresholdMonitoring"]}, id="TC_N_01"),
        pytest.param({"componentVariable": [POWER]}, id="TC_N_02"),
        pytest.param({"monitoringCriteria": ["DeltaMonitoring"], "componentVariable": [POWER]}, id="TC_N_03"),
        pytest.param({}, id="TC_N_47"),
        pytest.param(
            {
                "monitoringCriteria": ["ThresholdMonitoring", "PeriodicMonitoring"],
                "componentVariable": [POWER, AVAILABILITY],
            },
            id="TC_N_60",
        ),
    ],
)
async def test_report_of_monitors(
    server: Server, sqlite_db: Database, clock: FixedClock, wanted: Json
) -> None:
    pages = [monitors_page(6, 0, [POWER], more=True), monitors_page(6, 1, [AVAILABILITY], more=False)]
    await ordered_and_paged(
        server,
        sqlite_db,
        clock,
        ("GetMonitoringReport", {"requestId": 6, **wanted}),
        ("NotifyMonitoringReport", pages),
        "monitoring_report",
    )


CUSTOMER: Json = {"idToken": {"idToken": "04A1B2C3", "type": "ISO14443"}}
CERTIFICATE: Json = {
    "customerCertificate": {
        "hashAlgorithm": "SHA256",
        "issuerNameHash": "a" * 64,
        "issuerKeyHash": "b" * 64,
        "serialNumber": "1f",
    }
}


def customer_page(data: str, seq_no: int = 0, *, more: bool = False) -> Json:
    page = {"requestId": 8, "generatedAt": MORNING, "seqNo": seq_no, "data": data}
    return {**page, "tbc": True} if more else page


@pytest.mark.parametrize(
    ("wanted", "pages"),
    [
        pytest.param(
            {"report": True, "clear": False, **CUSTOMER},
            [customer_page("name A", more=True), customer_page("badge B", 1)],
            id="TC_N_27",
        ),
        pytest.param({"report": True, "clear": False, **CUSTOMER}, [customer_page("")], id="TC_N_28"),
        pytest.param({"report": True, "clear": True, **CUSTOMER}, [customer_page("A")], id="TC_N_30"),
        pytest.param({"report": True, "clear": True, **CUSTOMER}, [customer_page("")], id="TC_N_31"),
        pytest.param({"report": False, "clear": True, **CUSTOMER}, [customer_page("")], id="TC_N_32"),
        pytest.param(
            {"report": True, "clear": True, "customerIdentifier": "C-17"},
            [customer_page("A")],
            id="TC_N_62",
        ),
        pytest.param({"report": True, "clear": True, **CERTIFICATE}, [customer_page("A")], id="TC_N_63"),
    ],
)
async def test_what_a_station_knows_of_a_person(
    server: Server, sqlite_db: Database, clock: FixedClock, wanted: Json, pages: list[Json]
) -> None:
    await ordered_and_paged(
        server,
        sqlite_db,
        clock,
        ("CustomerInformation", {"requestId": 8, **wanted}),
        ("NotifyCustomerInformation", pages),
        "customer_information",
    )


async def test_TC_N_29_refused_question_about_a_person_is_a_refused_errand(
    server: Server, sqlite_db: Database, clock: FixedClock
) -> None:
    wanted: dict[str, Any] = {"requestId": 8, "report": True, "clear": True, **CUSTOMER}
    answers = by_action(CustomerInformation={"status": "Invalid"})
    async with server.station(CS, V201, respond=answers) as point:
        result = await command(server, CS, "CustomerInformation", wanted)
        await settle(sqlite_db, clock)
    assert (result.state, result.response) == (CommandState.ANSWERED, {"status": "Invalid"})
    assert [frame[2:] for frame in point.commands] == [["CustomerInformation", wanted]]
    assert await errand(sqlite_db, "customer_information") == ("refused", "Invalid")
