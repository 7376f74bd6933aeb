from __future__ import annotations

from typing import Any

import pytest

from supervision.csms.catalogue import FROM_STATION, TO_STATION
from supervision.csms.frame import ErrorCode, Version
from supervision.csms.schemas import read_leniently, violations

V16, V201 = Version.V16, Version.V201
START: dict[str, Any] = {
    "connectorId": 1,
    "idTag": "04A1B2C3",
    "meterStart": 1000,
    "timestamp": "2026-11-21T18:00:00Z",
}


@pytest.mark.parametrize("version", list(Version))
def test_every_action_has_a_compiled_schema_for_request_and_answer(version: Version) -> None:
    for action in FROM_STATION[version] | TO_STATION[version]:
        violations(version, action, {}, answer=False)
        violations(version, action, {}, answer=True)


def test_both_lists_are_complete() -> None:
    assert {version: len(FROM_STATION[version] | TO_STATION[version]) for version in Version} == {
        V16: 39,
        V201: 64,
    }


def test_an_action_of_the_other_version_has_no_schema() -> None:
    with pytest.raises(KeyError):
        violations(V16, "TransactionEvent", {}, answer=False)


def test_a_valid_payload_has_no_violations() -> None:
    assert violations(V16, "StartTransaction", START, answer=False) == []


@pytest.mark.parametrize("tenths", [1, 60, 61, 62, 137, 163, 319, 320])
def test_a_limit_of_one_decimal_is_valid_in_16(tenths: int) -> None:
    assert violations(V16, "SetChargingProfile", profile(tenths / 10), answer=False) == []


def test_a_limit_of_two_decimals_is_refused_in_16() -> None:
    found = violations(V16, "SetChargingProfile", profile(6.25), answer=False)
    assert [violation.kind for violation in found] == ["multipleOf"]


def profile(limit: float) -> dict[str, Any]:
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}]}
    return {
        "connectorId": 1,
        "csChargingProfiles": {
            "chargingProfileId": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxProfile",
            "chargingProfileKind": "Absolute",
            "chargingSchedule": schedule,
        },
    }


@pytest.mark.parametrize(
    ("change", "understood", "kind"),
    [
        ({"vendorField": 1}, START, "additionalProperties"),
        ({"idTag": "x" * 30}, {**START, "idTag": "x" * 30}, "maxLength"),
        ({"meterStart": "1000"}, START, "type"),
        ({"meterStart": "1000.0"}, START, "type"),
        ({"idTag": 4123}, {**START, "idTag": "4123"}, "type"),
        ({"reservationId": None}, START, "type"),
        ({"timestamp": "yesterday"}, {**START, "timestamp": "yesterday"}, "format"),
    ],
)
def test_a_known_departure_is_understood_and_counted(
    change: dict[str, Any], understood: dict[str, Any], kind: str
) -> None:
    checked = read_leniently(V16, "StartTransaction", {**START, **change}, answer=False)
    assert checked.payload == understood
    assert [violation.kind for violation in checked.tolerated] == [kind]
    assert checked.broken == ()


def test_the_received_payload_itself_is_left_alone() -> None:
    payload = {**START, "vendorField": 1}
    read_leniently(V16, "StartTransaction", payload, answer=False)
    assert payload == {**START, "vendorField": 1}


def test_an_unknown_error_code_becomes_other_error() -> None:
    payload = {"connectorId": 1, "status": "faulted ", "errorCode": "Error"}
    checked = read_leniently(V16, "StatusNotification", payload, answer=False)
    assert checked.payload == {"connectorId": 1, "status": "Faulted", "errorCode": "OtherError"}
    assert checked.broken == ()


def test_an_unknown_optional_word_is_dropped() -> None:
    payload = {"transactionId": 1, "meterStop": 5, "timestamp": "2026-11-21T18:00:00Z", "reason": "Bored"}
    checked = read_leniently(V16, "StopTransaction", payload, answer=False)
    assert "reason" not in checked.payload
    assert [violation.path for violation in checked.tolerated] == ["reason"]


def test_an_unknown_unit_is_kept_because_dropping_it_would_mean_wh() -> None:
    sampled = {"value": "50", "unit": "Hz", "measurand": "Frequency"}
    payload = {
        "connectorId": 1,
        "meterValue": [{"timestamp": "2026-11-21T18:00:00Z", "sampledValue": [sampled]}],
    }
    checked = read_leniently(V16, "MeterValues", payload, answer=False)
    assert checked.payload == payload
    assert checked.broken == ()


def test_an_unknown_required_word_is_broken_and_blamed_on_the_word() -> None:
    payload = {"connectorId": 1, "status": "Dancing", "errorCode": "NoError"}
    checked = read_leniently(V16, "StatusNotification", payload, answer=False)
    assert [(v.path, v.code) for v in checked.broken] == [("status", ErrorCode.PROPERTY)]


def test_a_missing_required_field_is_an_occurrence_violation() -> None:
    checked = read_leniently(V16, "BootNotification", {"chargePointModel": "M"}, answer=False)
    assert [(v.path, v.code) for v in checked.broken] == [("chargePointVendor", ErrorCode.OCCURRENCE)]


def test_an_empty_optional_list_is_dropped_in_201() -> None:
    payload = {
        "eventType": "Updated",
        "timestamp": "2026-11-21T18:00:00Z",
        "triggerReason": "Trigger",
        "seqNo": "3",
        "transactionInfo": {"transactionId": "a"},
        "meterValue": [],
    }
    checked = read_leniently(V201, "TransactionEvent", payload, answer=False)
    assert "meterValue" not in checked.payload
    assert checked.payload["seqNo"] == 3
    assert checked.broken == ()


def test_a_violation_repeats_no_value() -> None:
    found = violations(
        V16, "ChangeConfiguration", {"key": "AuthorizationKey", "value": "s" * 600}, answer=False
    )
    assert "sss" not in " ".join(violation.text for violation in found)
