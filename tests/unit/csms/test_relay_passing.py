"""What of the journal a second backend is told, and in which words."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervision.csms.catalogue import FROM_STATION
from supervision.csms.frame import Call, Version
from supervision.csms.relay.model import Patience, StationFacts, boot_retry_s, heartbeat_s
from supervision.csms.relay.passing import (
    Entry,
    Silence,
    Told,
    boot_call,
    in_their_words,
    look,
    message_id,
    number_of,
    other,
    our_id,
    status_calls,
)
from supervision.csms.schemas import violations

AT = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
V16, V201 = Version.V16, Version.V201
BOTH = pytest.mark.parametrize("version", list(Version))


def entry(text: str, *, direction: str = "in", problem: str | None = None, number: int = 7) -> Entry:
    return Entry(id=number, at=AT, direction=direction, text=text, problem=problem)


def call(action: str, payload: dict[str, Any] | None = None) -> str:
    return json.dumps([2, "m1", action, payload or {}])


@pytest.mark.parametrize(
    ("version", "action", "payload"),
    [
        (V16, "StartTransaction", {}),
        (V16, "StopTransaction", {"transactionId": 5}),
        (V16, "MeterValues", {"transactionId": 5}),
        (V201, "TransactionEvent", {}),
    ],
)
@pytest.mark.parametrize("is_new", [True, False])
@pytest.mark.parametrize("problem", [None, "not as its schema wants it"])
def test_message_of_a_charge_is_told_whenever_it_was_said(
    version: Version, action: str, payload: dict[str, Any], is_new: bool, problem: str | None
) -> None:
    said = Call(message_id="m1", action=action, payload=payload)
    frame = entry(call(action, payload), problem=problem)
    assert look(frame, version, is_new=is_new) == Told(call=said, carries=True)


@pytest.mark.parametrize(
    ("version", "action"), [(V16, "MeterValues"), (V201, "MeterValues"), (V16, "Authorize")]
)
def test_message_of_no_charge_is_told_while_it_is_new(version: Version, action: str) -> None:
    said = Call(message_id="m1", action=action, payload={})
    assert look(entry(call(action)), version, is_new=True) == Told(call=said, carries=False)
    assert look(entry(call(action)), version, is_new=False) is Silence.NOTHING
    assert look(entry(call(action), problem="held"), version, is_new=True) is Silence.NOTHING


OURS_ALONE = {
    V16: {"Heartbeat", "SignCertificate"},
    V201: {
        "Heartbeat",
        "SignCertificate",
        "Get15118EVCertificate",
        "GetCertificateStatus",
        "NotifyReport",
        "NotifyMonitoringReport",
        "NotifyCustomerInformation",
        "NotifyDisplayMessages",
        "ReportChargingProfiles",
    },
}


@BOTH
def test_heartbeats_certificates_and_reports_are_ours_alone(version: Version) -> None:
    silent = {
        action
        for action in FROM_STATION[version]
        if look(entry(call(action)), version, is_new=True) is Silence.NOTHING
    }
    assert silent == OURS_ALONE[version]


@pytest.mark.parametrize(
    "frame",
    [
        entry(call("StartTransaction"), direction="out"),
        entry('[3,"m1",{}]'),
        entry('[4,"m1","InternalError","",{}]'),
        entry("nonsense"),
        entry('[2,"m1","Authorize",{'),
        entry(call("Dance")),
        entry(call("StatusNotification")[:-3]),
    ],
)
def test_what_is_no_message_of_the_station_is_not_told(frame: Entry) -> None:
    assert look(frame, V16, is_new=True) is Silence.NOTHING


def test_message_of_a_charge_that_nobody_can_read_is_lost_aloud() -> None:
    text = '[2,"m1","StopTransaction",{"transactionId":5'
    assert look(entry(text), V16, is_new=False) is Silence.LOST


@pytest.mark.parametrize(("version", "action"), [(V16, "TransactionEvent"), (V201, "StopTransaction")])
def test_message_of_a_charge_in_another_version_is_told_in_that_version(
    version: Version, action: str
) -> None:
    assert look(entry(call(action)), version, is_new=False) is Silence.OTHER_VERSION
    assert isinstance(look(entry(call(action)), other(version), is_new=False), Told)


# --- ids --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "theirs", "payload"),
    [
        ("StopTransaction", 70, {"transactionId": 70, "meterStop": 9}),
        ("MeterValues", 70, {"transactionId": 70, "meterStop": 9}),
        ("StopTransaction", None, {"transactionId": -1, "meterStop": 9}),
        ("MeterValues", None, {"meterStop": 9}),
        ("StartTransaction", 70, {"transactionId": 5, "meterStop": 9}),
    ],
)
def test_id_of_a_charge_is_put_into_the_backends_words(
    action: str, theirs: int | None, payload: dict[str, Any]
) -> None:
    said = Call(message_id="m1", action=action, payload={"transactionId": 5, "meterStop": 9})
    assert in_their_words(V16, said, theirs).payload == payload
    assert said.payload["transactionId"] == 5


def test_nothing_is_rewritten_in_201() -> None:
    said = Call(
        message_id="m1", action="TransactionEvent", payload={"transactionInfo": {"transactionId": "x"}}
    )
    assert in_their_words(V201, said, 70) is said


@pytest.mark.parametrize(
    ("told", "number"), [(5, 5), ("5", 5), (" 5", 5), (0, None), (-1, None), (None, None), ("x", None)]
)
def test_number_of_a_charge_is_read_as_the_handlers_read_it(told: object, number: int | None) -> None:
    assert (
        number_of(Call(message_id="m1", action="StopTransaction", payload={"transactionId": told})) == number
    )


@pytest.mark.parametrize(
    ("later", "number"),
    [
        (['[3,"m1",{"transactionId":5,"idTagInfo":{"status":"Accepted"}}]'], 5),
        (['[2,"c1","Reset",{}]', '[3,"m0",{"transactionId":4}]', '[3,"m1",{"transactionId":5}]'], 5),
        (['[3,"m1",{"transactionId":-1}]'], None),
        (['[3,"m1",{}]', '[3,"m1",{"transactionId":5}]'], None),
        ([], None),
    ],
)
def test_our_id_is_the_one_of_the_answer_behind_the_start(later: list[str], number: int | None) -> None:
    start = Call(message_id="m1", action="StartTransaction", payload={})
    assert our_id(start, iter(later), V16) == number


@given(st.lists(st.tuples(st.integers(1, 2**60), st.integers(0, 9)), unique=True))
def test_no_two_tries_share_a_message_id(tries: list[tuple[int, int]]) -> None:
    ids = [message_id(entry("", number=number), count) for number, count in tries]
    assert len(set(ids)) == len(ids)
    assert all(len(one) <= 36 for one in ids)


# Journals of a 1.6 station: (kind, charge) in order; what carries a charge must come out, whole and in order.
KINDS = ("StartTransaction", "MeterValues", "StopTransaction", "Heartbeat", "StatusNotification", "answer")


@given(
    said=st.lists(st.tuples(st.sampled_from(KINDS), st.integers(1, 3)), max_size=30),
    cuts=st.lists(st.integers(0, 30), max_size=4),
)
def test_whatever_was_cut_where_every_message_of_a_charge_is_told_once_and_in_order(
    said: list[tuple[str, int]], cuts: list[int]
) -> None:
    journal = [
        entry('[3,"m1",{}]', number=number)
        if kind == "answer"
        else entry(call(kind, {"transactionId": charge}), number=number)
        for number, (kind, charge) in enumerate(said, start=1)
    ]
    told: list[int] = []
    after = 0
    for end in [*sorted(cuts), len(journal)]:  # one line after another, each from where the last one stopped
        looked = [(frame.id, look(frame, V16, is_new=frame.id % 2 == 0)) for frame in journal[after:end]]
        told += [number for number, found in looked if isinstance(found, Told) and found.carries]
        after = max(after, end)
    carrying = {"StartTransaction", "MeterValues", "StopTransaction"}
    assert told == [number for number, (kind, _) in enumerate(said, start=1) if kind in carrying]


# --- when it is dialled -----------------------------------------------------------------------------------


def facts(version: Version, **boot: str) -> StationFacts:
    status = "Charging" if version is V16 else "Occupied"
    return StationFacts(
        version=version,
        online=True,
        boot=boot,
        evses={2: ("Faulted", "GroundFailure", AT), 1: (status, None, AT), 3: ("Unknown", None, None)},
    )


@BOTH
@pytest.mark.parametrize("boot", [{}, {"vendor": "V", "model": "M", "serial": "S", "firmware": "1.2"}])
def test_what_is_said_when_dialled_is_valid(version: Version, boot: dict[str, str]) -> None:
    known = facts(version, **boot)
    calls = [boot_call(version, known, "b"), *status_calls(version, known, iter("123"))]
    assert [violations(version, one.action, one.payload, answer=False) for one in calls] == [[], [], []]


def test_statuses_are_the_newest_of_each_evse() -> None:
    told = list(status_calls(V16, facts(V16), iter("12")))
    at = "2026-11-21T08:00:00Z"
    assert [one.payload for one in told] == [
        {"connectorId": 1, "errorCode": "NoError", "status": "Charging", "timestamp": at},
        {"connectorId": 2, "errorCode": "GroundFailure", "status": "Faulted", "timestamp": at},
    ]


@pytest.mark.parametrize(
    ("interval", "beat", "retry"),
    [
        (300, 300, 300),
        (0, 300, 60),
        (-5, 300, 60),
        ("9", 300, 60),
        (True, 300, 60),
        (1, 10, 10),
        (10**9, 86_400, 3600),
    ],
)
def test_intervals_of_a_backend_are_bounded(interval: object, beat: int, retry: int) -> None:
    assert (heartbeat_s({"interval": interval}), boot_retry_s({"interval": interval})) == (beat, retry)


def test_pauses_double_up_to_a_bound_and_chance_halves_them_at_most() -> None:
    patience = Patience(longest_backoff_s=300)
    assert [patience.backoff_s(failures, 0) for failures in (0, 1, 2, 9, 99)] == [0.5, 1, 2, 150, 150]
    assert patience.backoff_s(99, 0.5) == 225
