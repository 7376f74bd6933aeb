"""Stations whose boot is not accepted: how they are answered, what they are asked, what they may send."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from supervision.csms.holding import Registration, expected_after, may_be_asked, registration

HELD_AT = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
BEFORE, AFTER = HELD_AT - timedelta(seconds=1), HELD_AT + timedelta(seconds=1)
ACCEPTED, PENDING, REJECTED = Registration.ACCEPTED, Registration.PENDING, Registration.REJECTED


@pytest.mark.parametrize(
    ("policy", "held_at", "settings_state", "looked_at", "answer"),
    [
        (None, None, None, None, ACCEPTED),
        ("accept", HELD_AT, "drift", AFTER, ACCEPTED),
        ("reject", HELD_AT, "in_sync", AFTER, REJECTED),
        ("pending", None, None, None, PENDING),
        ("pending", None, "in_sync", AFTER, PENDING),
        ("pending", HELD_AT, "in_sync", None, PENDING),
        ("pending", HELD_AT, "in_sync", BEFORE, PENDING),
        ("pending", HELD_AT, "in_sync", HELD_AT, ACCEPTED),
        ("pending", HELD_AT, "in_sync", AFTER, ACCEPTED),
        ("pending", HELD_AT, "drift", AFTER, PENDING),
    ],
)
def test_a_boot_is_answered_as_its_operator_wants_and_pending_ends_with_the_right_settings(
    policy: str | None,
    held_at: datetime | None,
    settings_state: str | None,
    looked_at: datetime | None,
    answer: Registration,
) -> None:
    found = registration(policy, held_at=held_at, settings_state=settings_state, looked_at=looked_at)
    assert found is answer


@pytest.mark.parametrize(
    ("held", "action", "may"),
    [
        (None, "RemoteStartTransaction", True),
        (PENDING, "GetBaseReport", True),
        (PENDING, "RemoteStartTransaction", False),
        (PENDING, "RemoteStopTransaction", False),
        (PENDING, "RequestStartTransaction", False),
        (PENDING, "RequestStopTransaction", False),
        (REJECTED, "GetBaseReport", False),
        (REJECTED, "RequestStopTransaction", False),
    ],
)
def test_a_pending_station_is_asked_for_no_charge_and_a_rejected_one_for_nothing(
    held: Registration | None, action: str, may: bool
) -> None:
    assert may_be_asked(held, action) is may


STATUS = {"requestedMessage": "StatusNotification"}


@pytest.mark.parametrize(
    ("action", "payload", "evses", "expected"),
    [
        ("GetBaseReport", {}, 2, ("NotifyReport", 1000)),
        ("GetReport", {}, 2, ("NotifyReport", 1000)),
        ("SetVariables", STATUS, 2, ("", 0)),
        ("TriggerMessage", {}, 2, ("", 1)),
        ("TriggerMessage", {"requestedMessage": "Heartbeat"}, 2, ("Heartbeat", 1)),
        ("TriggerMessage", STATUS, 2, ("StatusNotification", 2)),
        ("TriggerMessage", STATUS, 0, ("StatusNotification", 1)),
        ("TriggerMessage", {"requestedMessage": "MeterValues"}, 3, ("MeterValues", 3)),
        ("TriggerMessage", {**STATUS, "evse": {"id": 1}}, 2, ("StatusNotification", 1)),
        ("TriggerMessage", {**STATUS, "connectorId": 1}, 2, ("StatusNotification", 1)),
    ],
)
def test_what_is_asked_for_may_be_sent_once_for_each_evse_it_is_about(
    action: str, payload: dict[str, Any], evses: int, expected: tuple[str, int]
) -> None:
    assert expected_after(action, payload, evses) == expected
