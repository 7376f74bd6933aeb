"""Passwords that travel in commands, and what the station made of them."""

from __future__ import annotations

from typing import Any

import pytest

from supervision.csms.credentials import Rotation, password_in, rotation

NAMED = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
OTHER = {"component": {"name": "ClockCtrlr"}, "variable": {"name": "TimeZone"}}
KEY = {"key": "AuthorizationKey", "value": "30313233"}
VARIABLES = {"setVariableData": [{**OTHER, "attributeValue": "x"}, {**NAMED, "attributeValue": "secret"}]}


def results(word: str) -> dict[str, Any]:
    """The password's result beside another's."""
    return {
        "setVariableResult": [
            {**OTHER, "attributeStatus": "Accepted"},
            {**NAMED, "attributeStatus": word},
        ]
    }


@pytest.mark.parametrize(
    ("action", "payload", "password"),
    [
        ("ChangeConfiguration", KEY, b"0123"),
        ("ChangeConfiguration", KEY | {"key": "authorizationkey"}, b"0123"),
        ("ChangeConfiguration", KEY | {"value": "no hex"}, b"no hex"),
        ("ChangeConfiguration", KEY | {"key": "HeartbeatInterval"}, None),
        ("SetVariables", VARIABLES, b"secret"),
        ("SetVariables", {"setVariableData": [OTHER]}, None),
        ("Reset", {"type": "Soft"}, None),
    ],
)
def test_password_in_a_command(action: str, payload: dict[str, Any], password: bytes | None) -> None:
    assert password_in(action, payload) == password


@pytest.mark.parametrize(
    ("action", "payload", "response", "outcome"),
    [
        ("ChangeConfiguration", KEY, {"status": "Accepted"}, Rotation.TAKEN),
        ("ChangeConfiguration", KEY, {"status": "RebootRequired"}, Rotation.LATER),
        ("ChangeConfiguration", KEY, {"status": "Rejected"}, Rotation.REFUSED),
        ("ChangeConfiguration", KEY, {"status": "NotSupported"}, Rotation.REFUSED),
        ("ChangeConfiguration", KEY, {}, Rotation.REFUSED),
        ("ChangeConfiguration", KEY | {"key": "Other"}, {"status": "Accepted"}, None),
        ("SetVariables", VARIABLES, results("Accepted"), Rotation.TAKEN),
        ("SetVariables", VARIABLES, results("RebootRequired"), Rotation.LATER),
        ("SetVariables", VARIABLES, results("Rejected"), Rotation.REFUSED),
        ("SetVariables", VARIABLES, {}, Rotation.REFUSED),
        ("SetVariables", {"setVariableData": [OTHER]}, results("Accepted"), None),
        ("Reset", {"type": "Soft"}, {"status": "Accepted"}, None),
    ],
)
def test_outcome_of_a_new_password(
    action: str, payload: dict[str, Any], response: dict[str, Any], outcome: Rotation | None
) -> None:
    assert rotation(action, payload, response) == outcome
