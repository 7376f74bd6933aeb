"""What a station needs before its security profile is raised, and what it is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from supervision.csms.frame import Version
from supervision.csms.upgrade import Readiness, TlsOffer, accepted, calls_of_upgrade, refuse_upgrade

TLS = TlsOffer(listens=True, url="wss://csms.example.org/ocpp")
READY = Readiness(version=Version.V16, profile=1, has_password=True, has_certificate=True)
NEVER_SEEN = replace(READY, version=None)


@pytest.mark.parametrize(
    ("station", "wanted", "offer", "code"),
    [
        (READY, 2, TLS, None),
        (READY, 3, TLS, None),
        (NEVER_SEEN, 2, TLS, None),
        (replace(READY, profile=0), 1, TlsOffer(), None),
        (replace(READY, version=Version.V201), 2, TLS, None),
        (READY, 1, TLS, "profile_not_higher"),
        (READY, 0, TLS, "profile_not_higher"),
        (READY, 4, TLS, "profile_not_higher"),
        (replace(READY, profile=3), 2, TLS, "profile_not_higher"),
        (replace(READY, has_password=False), 2, TLS, "password_missing"),
        (replace(READY, has_password=False), 3, TLS, None),
        (READY, 2, TlsOffer(), "tls_missing"),
        (replace(READY, has_certificate=False), 3, TLS, "certificate_missing"),
        (replace(READY, has_certificate=False), 3, replace(TLS, foreign_certificates=True), None),
        (replace(READY, version=Version.V201), 2, TlsOffer(listens=True), "tls_url_missing"),
    ],
)
def test_upgrade_is_ordered_only_when_it_can_succeed(
    station: Readiness, wanted: int, offer: TlsOffer, code: str | None
) -> None:
    refused = refuse_upgrade(station, wanted, offer)
    assert (refused and refused.code) == code


@pytest.mark.parametrize(
    ("before", "after"), [("1", "2,1"), ("1,2", "2,1"), ("3, 1", "2,3, 1"), ("", "2"), ("2", "2")]
)
def test_new_slot_comes_first_and_the_old_ones_stay_behind(before: str, after: str) -> None:
    calls = calls_of_upgrade(Version.V201, 2, url=TLS.url, slot=2, interface="Wired0", priority=before)
    variables: list[Any] = [
        payload["setVariableData"] for action, payload in calls if action == "SetVariables"
    ]
    assert variables[0][0]["attributeValue"] == after


@pytest.mark.parametrize(
    ("response", "agreed"),
    [
        ({"status": "Accepted"}, True),
        ({"status": "RebootRequired"}, True),
        ({"status": "Scheduled"}, True),
        ({"status": "Rejected"}, False),
        ({}, False),
        ({"setVariableResult": []}, False),
        ({"setVariableResult": [{"attributeStatus": "Accepted"}]}, True),
        ({"setVariableResult": [{"attributeStatus": "Accepted"}, {"attributeStatus": "Rejected"}]}, False),
    ],
)
def test_agreement_of_a_station(response: dict[str, Any], agreed: bool) -> None:
    assert accepted(response) is agreed
