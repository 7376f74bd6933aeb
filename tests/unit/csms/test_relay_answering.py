"""Who answers what: the owner's part, and what becomes of the second backend's CALLs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from supervision.csms.catalogue import TO_STATION
from supervision.csms.frame import Call, Version
from supervision.csms.relay.answering import (
    PASSED_ON,
    Order,
    is_theirs,
    may_be_theirs,
    rule,
    told_by_station,
    with_theirs,
)
from supervision.csms.relay.model import Owner
from supervision.csms.schemas import violations

V16, V201 = Version.V16, Version.V201
ACCEPTED, BLOCKED = {"status": "Accepted"}, {"status": "Blocked"}


def asked(action: str, payload: dict[str, Any] | None = None) -> Call:
    return Call(message_id="x", action=action, payload=payload or {})


@pytest.mark.parametrize(
    ("version", "action", "ours", "theirs", "told"),
    [
        (V16, "Authorize", {"idTagInfo": ACCEPTED}, {"idTagInfo": BLOCKED}, {"idTagInfo": BLOCKED}),
        (
            V16,
            "StartTransaction",
            {"transactionId": 5, "idTagInfo": ACCEPTED},
            {"transactionId": 7000, "idTagInfo": BLOCKED},
            {"transactionId": 5, "idTagInfo": BLOCKED},
        ),
        (V16, "StopTransaction", {"idTagInfo": ACCEPTED}, {}, {}),
        (
            V201,
            "TransactionEvent",
            {"totalCost": 0.0},
            {"totalCost": 4.2, "chargingPriority": 3},
            {"totalCost": 4.2},
        ),
        (
            V201,
            "TransactionEvent",
            {"idTokenInfo": ACCEPTED},
            {"idTokenInfo": BLOCKED},
            {"idTokenInfo": BLOCKED},
        ),
    ],
)
def test_owners_part_replaces_ours_and_nothing_else(
    version: Version,
    action: str,
    ours: dict[str, Any],
    theirs: dict[str, Any],
    told: dict[str, Any],
) -> None:
    assert is_theirs(version, action, ours)
    assert with_theirs(version, action, ours, theirs) == told


@pytest.mark.parametrize(
    ("version", "action", "ours"),
    [
        (V16, "StopTransaction", {}),
        (V201, "TransactionEvent", {}),
        (V16, "BootNotification", {"status": "Accepted"}),
        (V201, "MeterValues", {}),
    ],
)
def test_answer_without_badge_or_cost_waits_for_nobody(
    version: Version, action: str, ours: dict[str, Any]
) -> None:
    assert not is_theirs(version, action, ours)


def test_messages_that_may_wait_are_few() -> None:
    assert {
        action for action in TO_STATION[V16] | {"Authorize", "MeterValues"} if may_be_theirs(V16, action)
    } == {"Authorize"}
    assert not may_be_theirs(V201, None)


# --- CALLs of the backend ---------------------------------------------------------------------------------

MAY_BE_ASKED = {
    V16: {
        "CancelReservation",
        "GetCompositeSchedule",
        "GetConfiguration",
        "GetLocalListVersion",
        "RemoteStartTransaction",
        "RemoteStopTransaction",
        "ReserveNow",
        "TriggerMessage",
        "UnlockConnector",
    },
    V201: {
        "CancelReservation",
        "GetCompositeSchedule",
        "GetLocalListVersion",
        "GetTransactionStatus",
        "GetVariables",
        "RequestStartTransaction",
        "RequestStopTransaction",
        "ReserveNow",
        "TriggerMessage",
        "UnlockConnector",
    },
}


@pytest.mark.parametrize("version", list(Version))
def test_owner_elsewhere_may_ask_for_this_and_nothing_else(version: Version) -> None:
    payload = {"requestedMessage": "Heartbeat", "transactionId": 7000}
    passed = {
        action
        for action in TO_STATION[version]
        if isinstance(rule(version, Owner.THERE, asked(action, payload), 5), Order)
    }
    assert passed == MAY_BE_ASKED[version]


@pytest.mark.parametrize("version", list(Version))
def test_backend_that_owns_nothing_is_refused_in_words_of_the_standard(version: Version) -> None:
    for action in TO_STATION[version]:
        told = rule(version, Owner.HERE, asked(action), 5)
        assert isinstance(told, str)
        message = json.loads(told)
        if message[0] == 3:
            assert violations(version, action, message[2], answer=True) == []
        else:
            wanted = "NotSupported" if action in PASSED_ON[version] else "SecurityError"
            assert message[:3] == [4, "x", wanted]


def test_action_nobody_knows_is_not_implemented() -> None:
    told = rule(V16, Owner.THERE, asked("Dance"), None)
    assert told == '[4,"x","NotImplemented","unknown action",{}]'


@pytest.mark.parametrize(
    ("version", "action", "payload", "order"),
    [
        (V16, "RemoteStopTransaction", {"transactionId": 7000}, {"transactionId": 5}),
        (V16, "RemoteStartTransaction", {"idTag": "A", "chargingProfile": {}}, {"idTag": "A"}),
        (V201, "RequestStartTransaction", {"remoteStartId": 1, "chargingProfile": {}}, {"remoteStartId": 1}),
        (V201, "RequestStopTransaction", {"transactionId": "tx"}, {"transactionId": "tx"}),
    ],
)
def test_order_names_our_charge_and_brings_no_limits(
    version: Version, action: str, payload: dict[str, Any], order: dict[str, Any]
) -> None:
    assert rule(version, Owner.THERE, asked(action, payload), 5) == Order(action=action, payload=order)


@pytest.mark.parametrize(
    ("version", "action", "payload"),
    [
        (V16, "RemoteStopTransaction", {"transactionId": 7000}),
        (V16, "RemoteStopTransaction", {"transactionId": "x"}),
        (V201, "TriggerMessage", {"requestedMessage": "SignChargingStationCertificate"}),
        (V201, "TriggerMessage", {}),
    ],
)
def test_order_about_nothing_of_ours_is_rejected(
    version: Version, action: str, payload: dict[str, Any]
) -> None:
    assert rule(version, Owner.THERE, asked(action, payload), None) == '[3,"x",{"status":"Rejected"}]'


@pytest.mark.parametrize(
    ("action", "state", "response", "error", "told"),
    [
        ("UnlockConnector", "answered", {"status": "Unlocked"}, None, [3, "x", {"status": "Unlocked"}]),
        ("UnlockConnector", "error", None, {"code": "InternalError"}, [4, "x", "InternalError"]),
        ("UnlockConnector", "error", None, {"code": "Nonsense"}, [4, "x", "GenericError"]),
        ("UnlockConnector", "offline", None, None, [3, "x", {"status": "UnlockFailed"}]),
        ("GetConfiguration", "timeout", None, None, [4, "x", "GenericError"]),
        ("GetConfiguration", "refused", None, {"code": "invalid_payload"}, [4, "x", "FormationViolation"]),
        ("ReserveNow", "refused", None, {"code": "boot_not_accepted"}, [3, "x", {"status": "Rejected"}]),
    ],
)
def test_end_of_a_command_is_told_as_a_station_would(
    action: str, state: str, response: dict[str, Any] | None, error: dict[str, Any] | None, told: list[Any]
) -> None:
    text = told_by_station(V16, asked(action), state, response, error)
    assert json.loads(text)[:3] == told
