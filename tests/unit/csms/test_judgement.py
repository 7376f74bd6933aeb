"""Every answer of both versions has a meaning: the words are read out of the schemas, none may be unknown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from supervision.csms.catalogue import TO_STATION
from supervision.csms.frame import Version
from supervision.csms.judgement import (
    NO_ANSWER,
    NO_FILE,
    NO_VALUE,
    Awaits,
    ItemVerdict,
    Verdict,
    VerdictKind,
    judge,
    judge_command,
    judge_error,
    meaning,
)
from supervision.csms.schemas import _schema_file

V16, V201 = Version.V16, Version.V201
DONE, PENDING, REFUSED, PARTLY = (
    VerdictKind.DONE,
    VerdictKind.PENDING,
    VerdictKind.REFUSED,
    VerdictKind.PARTLY,
)


def words_in(version: Version, action: str) -> set[str]:
    """Return every word of a field `status` or `attributeStatus` in the answer's schema."""
    path: Path = _schema_file(version, action, answer=True)
    schema = json.loads(path.read_text("utf-8-sig"))
    return set(_words(schema, schema.get("definitions", {}), ""))


def _words(node: Mapping[str, Any], definitions: Mapping[str, Any], name: str) -> Iterator[str]:
    if "$ref" in node:
        node = definitions[node["$ref"].rpartition("/")[2]]
    if name in {"status", "attributeStatus"}:
        yield from node.get("enum", ())
    for field, inner in node.get("properties", {}).items():
        yield from _words(inner, definitions, field)
    if "items" in node:
        yield from _words(node["items"], definitions, "")


STATUSES = [
    (version, action, word)
    for version in Version
    for action in sorted(TO_STATION[version])
    for word in sorted(words_in(version, action))
]
without_status = {
    (version, action)
    for version in Version
    for action in TO_STATION[version]
    if not words_in(version, action)
}


def test_the_schemas_were_read() -> None:
    assert len(STATUSES) == 182
    assert without_status == {
        (V16, "GetConfiguration"),
        (V16, "GetDiagnostics"),
        (V16, "GetLocalListVersion"),
        (V16, "UpdateFirmware"),
        (V201, "CostUpdated"),
        (V201, "GetLocalListVersion"),
        (V201, "GetTransactionStatus"),
    }


# Everything whose word alone says more than "refused"; (action, word) -> (kind, awaits).
EXPECTED: dict[tuple[str, str], tuple[VerdictKind, Awaits | None]] = {
    **{
        (action, "Accepted"): (PENDING, awaits)
        for awaits, actions in {
            Awaits.CHARGE_START: "RemoteStartTransaction RequestStartTransaction",
            Awaits.CHARGE_END: "RemoteStopTransaction RequestStopTransaction",
            Awaits.RESTART: "Reset",
            Awaits.MESSAGE: "TriggerMessage ExtendedTriggerMessage",
            Awaits.REPORT: "CustomerInformation GetBaseReport GetChargingProfiles GetDisplayMessages "
            "GetMonitoringReport GetReport",
            Awaits.UPLOAD: "GetLog",
            Awaits.FIRMWARE: "PublishFirmware SignedUpdateFirmware UpdateFirmware",
        }.items()
        for action in actions.split()
    },
    ("ChangeAvailability", "Scheduled"): (PENDING, Awaits.CHARGE_END),
    ("Reset", "Scheduled"): (PENDING, Awaits.CHARGE_END),
    ("ChangeConfiguration", "RebootRequired"): (PENDING, Awaits.RESTART),
    ("SetVariables", "RebootRequired"): (PENDING, Awaits.RESTART),
    ("GetLog", "AcceptedCanceled"): (PENDING, Awaits.UPLOAD),
    ("UpdateFirmware", "AcceptedCanceled"): (PENDING, Awaits.FIRMWARE),
    ("SignedUpdateFirmware", "AcceptedCanceled"): (PENDING, Awaits.FIRMWARE),
    ("UnlockConnector", "Unlocked"): (DONE, None),
    ("UnpublishFirmware", "Unpublished"): (DONE, None),
    ("GetBaseReport", "EmptyResultSet"): (DONE, None),
    ("GetReport", "EmptyResultSet"): (DONE, None),
    ("GetMonitoringReport", "EmptyResultSet"): (DONE, None),
    ("GetChargingProfiles", "NoProfiles"): (DONE, None),
    ("GetDisplayMessages", "Unknown"): (DONE, None),
    ("GetInstalledCertificateIds", "NotFound"): (DONE, None),
}


def expected(action: str, word: str) -> tuple[VerdictKind, Awaits | None]:
    return EXPECTED.get((action, word), (DONE if word == "Accepted" else REFUSED, None))


@pytest.mark.parametrize(("version", "action", "word"), STATUSES)
def test_every_word_of_every_answer_has_its_meaning(version: Version, action: str, word: str) -> None:
    assert meaning(action, word) == expected(action, word)


@pytest.mark.parametrize(("version", "action", "word"), STATUSES)
def test_every_answer_is_judged_by_its_word(version: Version, action: str, word: str) -> None:
    verdict = judge(version, action, one_item(action), answer(action, word))
    kind, awaits = expected(action, word)
    assert (verdict.kind, verdict.awaits) == (kind, awaits)


CLEAR = "ClearVariableMonitoring"
THING: dict[str, Any] = {"component": {"name": "C"}, "variable": {"name": "V"}, "attributeValue": "1"}
LISTS = {  # action -> list asked, list answered, name of the word
    "GetVariables": ("getVariableData", "getVariableResult", "attributeStatus"),
    "SetVariables": ("setVariableData", "setVariableResult", "attributeStatus"),
    "SetVariableMonitoring": ("setMonitoringData", "setMonitoringResult", "status"),
    CLEAR: ("id", "clearMonitoringResult", "status"),
}


def one_item(action: str) -> dict[str, Any]:
    """Return a request; of the actions with a list, for one item."""
    if action == CLEAR:
        return {"id": [7]}
    return {LISTS[action][0]: [THING]} if action in LISTS else {}


def answer(action: str, word: str) -> dict[str, Any]:
    if action not in LISTS:
        return {"status": word}
    _, results, name = LISTS[action]
    return {results: [{**THING, "id": 7, name: word}]}


@pytest.mark.parametrize(
    ("version", "action", "request_", "response", "verdict"),
    [
        (V16, "UpdateFirmware", {}, {}, Verdict(kind=PENDING, awaits=Awaits.FIRMWARE)),
        (V16, "GetDiagnostics", {}, {"fileName": "a.log"}, Verdict(kind=PENDING, awaits=Awaits.UPLOAD)),
        (V16, "GetDiagnostics", {}, {}, Verdict(kind=REFUSED, word=NO_FILE)),
        (V16, "GetLocalListVersion", {}, {"listVersion": 0}, Verdict(kind=DONE)),
        (V16, "GetLocalListVersion", {}, {"listVersion": -1}, Verdict(kind=REFUSED, word="NotSupported")),
        (V201, "GetLocalListVersion", {}, {"versionNumber": 4}, Verdict(kind=DONE)),
        (V201, "CostUpdated", {}, {}, Verdict(kind=DONE)),
        (V201, "GetTransactionStatus", {}, {"messagesInQueue": False}, Verdict(kind=DONE)),
        (
            V201,
            "GetTransactionStatus",
            {},
            {"ongoingIndicator": True, "messagesInQueue": True},
            Verdict(kind=PENDING, awaits=Awaits.QUEUED_MESSAGES),
        ),
        (V16, "GetConfiguration", {}, {"configurationKey": [{"key": "A"}]}, Verdict(kind=DONE)),
    ],
)
def test_answers_without_a_status_are_judged_by_what_they_hold(
    version: Version, action: str, request_: dict[str, Any], response: dict[str, Any], verdict: Verdict
) -> None:
    assert judge(version, action, request_, response) == verdict


def variable(name: str, **more: Any) -> dict[str, Any]:
    return {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": name}, **more}


def test_each_variable_is_judged_for_itself() -> None:
    wanted = [variable(name, attributeValue="1") for name in ("A", "B", "C", "D")]
    results = [
        variable("B", attributeStatus="RebootRequired"),
        variable("A", attributeStatus="Accepted"),
        variable(
            "C",
            attributeStatus="Rejected",
            attributeStatusInfo={"reasonCode": "OutOfRange", "additionalInfo": "1-9"},
        ),
    ]
    verdict = judge(V201, "SetVariables", {"setVariableData": wanted}, {"setVariableResult": results})
    assert verdict == Verdict(
        kind=PARTLY,
        awaits=Awaits.RESTART,
        items=(
            ItemVerdict(subject="OCPPCommCtrlr.B", kind=PENDING, word="RebootRequired"),
            ItemVerdict(subject="OCPPCommCtrlr.C", kind=REFUSED, word="Rejected", reason="OutOfRange: 1-9"),
            ItemVerdict(subject="OCPPCommCtrlr.D", kind=REFUSED, word=NO_ANSWER),
        ),
    )


def test_the_same_variable_of_two_attributes_and_of_two_evses_is_told_apart() -> None:
    first = {"component": {"name": "EVSE", "evse": {"id": 1}}, "variable": {"name": "Power"}}
    second = {
        "component": {"name": "EVSE", "evse": {"id": 2, "connectorId": 1}},
        "variable": {"name": "Power"},
    }
    named = {"component": {"name": "X", "instance": "a"}, "variable": {"name": "V", "instance": "b"}}
    wanted = [first, {**first, "attributeType": "MaxSet"}, second, named]
    results = [
        {**first, "attributeStatus": "Accepted", "attributeValue": "1"},
        {**first, "attributeType": "MaxSet", "attributeStatus": "NotSupportedAttributeType"},
        {**second, "attributeStatus": "UnknownComponent"},
        {**named, "attributeStatus": "UnknownVariable"},
    ]
    verdict = judge(V201, "GetVariables", {"getVariableData": wanted}, {"getVariableResult": results})
    assert verdict.kind is PARTLY
    assert [(item.subject, item.word) for item in verdict.items] == [
        ("EVSE@1.Power:MaxSet", "NotSupportedAttributeType"),
        ("EVSE@2/1.Power", "UnknownComponent"),
        ("X(a).V(b)", "UnknownVariable"),
    ]


def test_an_accepted_variable_without_its_value_was_not_read() -> None:
    results = [variable("A", attributeStatus="Accepted")]
    verdict = judge(
        V201, "GetVariables", {"getVariableData": [variable("A")]}, {"getVariableResult": results}
    )
    assert verdict == Verdict(
        kind=REFUSED, items=(ItemVerdict(subject="OCPPCommCtrlr.A", kind=REFUSED, word=NO_VALUE),)
    )


def test_two_monitors_of_one_variable_are_told_apart() -> None:
    wanted = [
        variable("A", type="UpperThreshold", severity=4, value=1),
        variable("A", type="LowerThreshold", severity=4, value=0),
    ]
    results = [
        variable("A", type="LowerThreshold", severity=4, status="Duplicate"),
        variable("A", type="UpperThreshold", severity=4, status="Accepted", id=1),
    ]
    verdict = judge(
        V201, "SetVariableMonitoring", {"setMonitoringData": wanted}, {"setMonitoringResult": results}
    )
    assert verdict == Verdict(
        kind=PARTLY,
        items=(ItemVerdict(subject="OCPPCommCtrlr.A LowerThreshold", kind=REFUSED, word="Duplicate"),),
    )


def test_keys_of_1_6_are_compared_without_case() -> None:
    response = {"configurationKey": [{"key": "heartbeatinterval"}], "unknownKey": ["Nonsense"]}
    request = {"key": ["HeartbeatInterval", "Nonsense", "Silence"]}
    assert judge(V16, "GetConfiguration", request, response) == Verdict(
        kind=PARTLY,
        items=(
            ItemVerdict(subject="Nonsense", kind=REFUSED, word="NotSupported"),
            ItemVerdict(subject="Silence", kind=REFUSED, word=NO_ANSWER),
        ),
    )


@pytest.mark.parametrize(
    ("response", "word"),
    [
        ({}, NO_ANSWER),
        ({"status": None}, NO_ANSWER),
        ({"status": "Maybe"}, "Maybe"),
        ({"status": 1}, NO_ANSWER),
    ],
)
def test_what_nobody_understands_is_no_success(response: dict[str, Any], word: str) -> None:
    assert judge(V16, "ClearCache", {}, response) == Verdict(kind=REFUSED, word=word)


def test_another_spelling_of_a_word_is_the_word() -> None:
    assert judge(V16, "ChangeConfiguration", {}, {"status": " rebootrequired"}) == Verdict(
        kind=PENDING, word="RebootRequired", awaits=Awaits.RESTART
    )


@pytest.mark.parametrize("action", LISTS)
@pytest.mark.parametrize("junk", [None, "x", 1, [None], [[]], [{"component": 1}], {}])
def test_whatever_a_station_sends_gets_a_verdict(action: str, junk: Any) -> None:
    verdict = judge(V201, action, one_item(action), {LISTS[action][1]: junk})
    assert (verdict.kind, [item.word for item in verdict.items]) == (REFUSED, [NO_ANSWER])


def test_a_reason_of_the_station_is_kept() -> None:
    response = {"status": "Rejected", "statusInfo": {"reasonCode": "InUse"}}
    assert judge(V201, "Reset", {}, response).reason == "InUse"


def test_a_callerror_is_a_refusal_and_silence_is_nothing() -> None:
    error = {"code": "NotSupported", "description": "no", "details": {}}
    assert judge_error(error) == Verdict(kind=REFUSED, word="NotSupported", reason="no")
    assert judge_command(V16, "Reset", {}, None, error) == judge_error(error)
    assert judge_command(V16, "Reset", {}, None, None) is None
    assert judge_command(V16, "Reset", {}, {"status": "Rejected"}, None) == Verdict(
        kind=REFUSED, word="Rejected"
    )


def test_an_answer_in_the_table_is_judged_as_if_it_had_just_come() -> None:
    """The version, the action and what was asked each decide something."""
    firmware = judge_command(V16, "UpdateFirmware", {}, {}, None)
    assert firmware == Verdict(kind=PENDING, awaits=Awaits.FIRMWARE)
    key = judge_command(V16, "GetConfiguration", {"key": ["A"]}, {"unknownKey": ["A"]}, None)
    assert key == Verdict(kind=REFUSED, items=(ItemVerdict(subject="A", kind=REFUSED, word="NotSupported"),))
    assert judge_command(None, "Reset", {}, {"status": "Accepted"}, None) is None


def test_a_callerror_without_words_is_a_refusal_without_words() -> None:
    assert judge_error({}) == Verdict(kind=REFUSED, word="", reason="")


WHY = {"reasonCode": "InUse", "additionalInfo": "by a charge"}


@pytest.mark.parametrize(
    ("action", "request_", "response", "subject", "word"),
    [
        (
            "GetVariables",
            {"getVariableData": [variable("A")]},
            {
                "getVariableResult": [
                    variable("A", attributeStatus="UnknownVariable", attributeStatusInfo=WHY)
                ]
            },
            "OCPPCommCtrlr.A",
            "UnknownVariable",
        ),
        (
            "SetVariableMonitoring",
            {"setMonitoringData": [variable("A", type="Delta", severity=1)]},
            {
                "setMonitoringResult": [
                    variable("A", type="Delta", severity=1, status="Rejected", statusInfo=WHY)
                ]
            },
            "OCPPCommCtrlr.A Delta",
            "Rejected",
        ),
        (
            CLEAR,
            {"id": [7]},
            {"clearMonitoringResult": [{"id": 7, "status": "NotFound", "statusInfo": WHY}]},
            "7",
            "NotFound",
        ),
    ],
)
def test_an_item_has_its_name_and_the_reason_of_the_station(
    action: str, request_: dict[str, Any], response: dict[str, Any], subject: str, word: str
) -> None:
    item = ItemVerdict(subject=subject, kind=REFUSED, word=word, reason="InUse: by a charge")
    assert judge(V201, action, request_, response) == Verdict(kind=REFUSED, items=(item,))


def test_two_monitors_of_one_type_are_told_apart_by_their_severity() -> None:
    wanted = [variable("A", type="Delta", severity=severity) for severity in (3, 4)]
    results = [
        variable("A", type="Delta", severity=4, status="Duplicate"),
        variable("A", type="Delta", severity=3, status="UnsupportedMonitorType"),
    ]
    verdict = judge(
        V201, "SetVariableMonitoring", {"setMonitoringData": wanted}, {"setMonitoringResult": results}
    )
    assert [item.word for item in verdict.items] == ["UnsupportedMonitorType", "Duplicate"]


@pytest.mark.parametrize(
    ("action", "request_", "subjects"),
    [
        ("SetVariables", {"setVariableData": [{}]}, ["?.?"]),
        ("SetVariableMonitoring", {"setMonitoringData": [variable("A")]}, ["OCPPCommCtrlr.A"]),
        (CLEAR, {"id": 7}, []),
        ("GetConfiguration", {"key": ["None"]}, ["None"]),
    ],
)
def test_what_was_asked_badly_is_named_as_far_as_it_can_be(
    action: str, request_: dict[str, Any], subjects: list[str]
) -> None:
    """An answer that names nothing answers none of it."""
    version = V16 if action == "GetConfiguration" else V201
    verdict = judge(version, action, request_, {"configurationKey": [{}]})
    assert [(item.subject, item.word) for item in verdict.items] == [(one, NO_ANSWER) for one in subjects]


def test_a_verdict_is_written_as_json() -> None:
    item = ItemVerdict(subject="A", kind=REFUSED, word="Rejected")
    assert Verdict(kind=PARTLY, items=(item,)).document() == {
        "kind": "partly",
        "word": None,
        "awaits": None,
        "reason": None,
        "items": [{"subject": "A", "kind": "refused", "word": "Rejected", "reason": None}],
    }
    item = ItemVerdict(subject="B", kind=PENDING, word="RebootRequired", reason="later")
    promised = Verdict(kind=PENDING, word="Accepted", awaits=Awaits.RESTART, reason="soon", items=(item,))
    assert promised.document() == {
        "kind": "pending",
        "word": "Accepted",
        "awaits": "restart",
        "reason": "soon",
        "items": [{"subject": "B", "kind": "pending", "word": "RebootRequired", "reason": "later"}],
    }
