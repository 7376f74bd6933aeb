from __future__ import annotations

from datetime import timedelta

import pytest

from supervision.csms.catalogue import TO_STATION
from supervision.csms.command_policy import (
    POLICIES,
    CallEnd,
    Priority,
    end_of,
    next_try,
    policy_of,
    priority_of,
)
from tests.factories import NOW

EVERY_ACTION = frozenset[str]().union(*TO_STATION.values())
NEVER_AGAIN = """
    CancelReservation RemoteStartTransaction RemoteStopTransaction RequestStartTransaction
    RequestStopTransaction ReserveNow UnlockConnector CertificateSigned ChangeAvailability ClearCache
    ClearDisplayMessage ClearVariableMonitoring CostUpdated CustomerInformation DataTransfer
    DeleteCertificate GetDiagnostics GetLog PublishFirmware Reset SendLocalList SetVariableMonitoring
    SignedUpdateFirmware UnpublishFirmware UpdateFirmware
"""
TOMORROW = NOW + timedelta(days=1)


def test_every_call_of_both_versions_has_its_policy() -> None:
    assert set(POLICIES) == EVERY_ACTION


@pytest.mark.parametrize("action", sorted(EVERY_ACTION))
def test_only_what_is_the_same_twice_is_tried_again(action: str) -> None:
    assert (policy_of(action).tries == 1) == (action in NEVER_AGAIN.split())


@pytest.mark.parametrize("end", CallEnd)
@pytest.mark.parametrize(
    "action", [name for name in sorted(EVERY_ACTION) if policy_of(name).priority <= Priority.START]
)
def test_start_stop_unlock_and_reserve_never_repeat(action: str, end: CallEnd) -> None:
    assert next_try(action, end, tries=1, tries_allowed=9, expires_at=TOMORROW, now=NOW) is None


@pytest.mark.parametrize(
    ("action", "priority"),
    [
        ("RemoteStopTransaction", Priority.SAFETY),
        ("RequestStopTransaction", Priority.SAFETY),
        ("UnlockConnector", Priority.SAFETY),
        ("RemoteStartTransaction", Priority.START),
        ("RequestStartTransaction", Priority.START),
        ("ReserveNow", Priority.START),
        ("SetChargingProfile", Priority.PROFILE),
        ("ClearChargingProfile", Priority.PROFILE),
        ("ChangeConfiguration", Priority.CONFIGURATION),
        ("SetVariables", Priority.CONFIGURATION),
        ("ChangeAvailability", Priority.CONFIGURATION),
        ("SendLocalList", Priority.CONFIGURATION),
        ("Reset", Priority.CONFIGURATION),
        ("GetConfiguration", Priority.BULK),
        ("GetLog", Priority.BULK),
        ("UpdateFirmware", Priority.BULK),
        ("Dance", Priority.BULK),
    ],
)
def test_actions_have_their_class(action: str, priority: Priority) -> None:
    assert priority_of(action) is priority


def test_the_classes_stand_in_their_order() -> None:
    assert [one.name for one in sorted(Priority)] == ["SAFETY", "START", "PROFILE", "CONFIGURATION", "BULK"]


@pytest.mark.parametrize(
    ("action", "priority"),
    [("SetVariables", Priority.BULK), ("Reset", Priority.BULK), ("RequestStopTransaction", Priority.SAFETY)],
)
def test_what_goes_to_many_stations_yields_except_for_safety(action: str, priority: Priority) -> None:
    assert priority_of(action, bulk=True) is priority


@pytest.mark.parametrize(
    ("state", "code", "end"),
    [
        ("timeout", None, CallEnd.TIMEOUT),
        ("offline", None, CallEnd.OFFLINE),
        ("error", "InternalError", CallEnd.BUSY),
        ("error", "GenericError", CallEnd.BUSY),
        ("error", "NotSupported", None),
        ("error", "NotImplemented", None),
        ("error", None, None),
        ("answered", None, None),
        ("refused", None, None),
        ("cancelled", None, None),
    ],
)
def test_ends_that_settle_nothing(state: str, code: str | None, end: CallEnd | None) -> None:
    assert end_of(state, None if code is None else {"code": code}) is end


@pytest.mark.parametrize(("tries", "wait_s"), [(1, 10), (2, 30), (3, 60), (4, None), (0, None)])
def test_pauses_grow_and_end(tries: int, wait_s: int | None) -> None:
    due = next_try(
        "SetChargingProfile", CallEnd.TIMEOUT, tries=tries, tries_allowed=9, expires_at=TOMORROW, now=NOW
    )
    assert due == (None if wait_s is None else NOW + timedelta(seconds=wait_s))


def test_nothing_is_tried_more_often_than_its_command_allows() -> None:
    due = next_try("GetVariables", CallEnd.OFFLINE, tries=1, tries_allowed=1, expires_at=TOMORROW, now=NOW)
    assert due is None


def test_nothing_is_tried_after_it_expired() -> None:
    ends = [NOW + timedelta(seconds=30), NOW + timedelta(seconds=31)]
    assert [
        next_try("GetVariables", CallEnd.BUSY, tries=1, tries_allowed=4, expires_at=end, now=NOW) is None
        for end in ends
    ] == [True, False]


def test_a_settled_command_is_over() -> None:
    assert next_try("GetVariables", None, tries=1, tries_allowed=4, expires_at=TOMORROW, now=NOW) is None
