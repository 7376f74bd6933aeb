from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from supervision.csms.hanging import Remedy, Tried, next_remedy, remedy_of
from supervision.csms.model import ConnectorStatus
from tests.factories import NOW


def proposed(*tried: Tried, **changes: Any) -> Remedy | None:
    since: datetime = NOW - timedelta(minutes=3)
    given: dict[str, Any] = {"status": ConnectorStatus.FINISHING, "since": since, "charging": False}
    return next_remedy(**{**given, **changes}, tried=tried, now=NOW)


def tried(remedy: Remedy, minutes_ago: float = 1) -> Tried:
    return Tried(remedy=remedy, at=NOW - timedelta(minutes=minutes_ago))


@pytest.mark.parametrize("status", ConnectorStatus)
def test_59_only_finishing_and_faulted_hang(status: ConnectorStatus) -> None:
    hangs = status in (ConnectorStatus.FINISHING, ConnectorStatus.FAULTED)
    assert proposed(status=status) is (Remedy.ASK if hangs else None)


@pytest.mark.parametrize(
    "changes", [{"charging": True}, {"since": None}, {"since": NOW - timedelta(seconds=179)}]
)
def test_59_a_charge_and_its_end_are_no_hanging(changes: dict[str, Any]) -> None:
    assert proposed(**changes) is None


def test_59_the_steps_follow_one_another_to_the_last() -> None:
    ladder: list[Remedy] = []
    while Remedy.VISIT not in ladder:
        step = proposed(*map(tried, ladder))
        assert step is not None
        ladder.append(step)
    assert ladder == list(Remedy)


def test_59_what_was_taken_out_of_service_is_put_back_whatever_it_says_now() -> None:
    assert proposed(tried(Remedy.OUT_OF_SERVICE), status=ConnectorStatus.UNAVAILABLE) is Remedy.INTO_SERVICE
    assert proposed(tried(Remedy.OUT_OF_SERVICE, 60), status=ConnectorStatus.UNAVAILABLE) is None


def test_59_after_an_hour_a_step_may_be_tried_again() -> None:
    assert proposed(tried(Remedy.ASK, 59)) is Remedy.OUT_OF_SERVICE
    assert proposed(tried(Remedy.ASK, 60)) is Remedy.ASK


@pytest.mark.parametrize(
    ("action", "payload", "remedy"),
    [
        ("TriggerMessage", {"requestedMessage": "StatusNotification", "connectorId": 1}, Remedy.ASK),
        ("TriggerMessage", {"requestedMessage": "StatusNotification", "evse": {"id": 1}}, Remedy.ASK),
        ("TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": 1}, None),
        ("ChangeAvailability", {"connectorId": 1, "type": "Inoperative"}, Remedy.OUT_OF_SERVICE),
        ("ChangeAvailability", {"evse": {"id": 1}, "operationalStatus": "Operative"}, Remedy.INTO_SERVICE),
        ("ChangeAvailability", {"connectorId": 2, "type": "Inoperative"}, None),
        ("UnlockConnector", {"connectorId": 1}, Remedy.UNLOCK),
        ("UnlockConnector", {"evseId": 1, "connectorId": 1}, Remedy.UNLOCK),
        ("Reset", {"type": "Soft"}, None),
    ],
)
def test_59_a_step_is_known_by_its_command(
    action: str, payload: dict[str, Any], remedy: Remedy | None
) -> None:
    assert remedy_of(action, payload, 1) is remedy
