"""What of a frame is kept in the journal: everything but keys, passwords, and what opens a URL."""

from __future__ import annotations

import pytest

from supervision.csms.masking import mask_frame, mask_payload, token_hint

TOKEN = "abcdefghijklmnop"


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        (
            '[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"S3CRET"}]',
            '[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"***"}]',
        ),
        (
            '[2, "1", "ChangeConfiguration", {"key": "AUTHORIZATIONKEY", "value": 5, "note": "é"}]',
            '[2,"1","ChangeConfiguration",{"key":"AUTHORIZATIONKEY","value":"***","note":"é"}]',
        ),
        (
            '[2,"1","SetVariables",{"setVariableData":[{"attributeValue":"S3CRET",'
            '"variable":{"name":"BasicAuthPassword"}},{"attributeValue":"9","variable":{"name":"Other"}}]}]',
            '[2,"1","SetVariables",{"setVariableData":[{"attributeValue":"***",'
            '"variable":{"name":"BasicAuthPassword"}},{"attributeValue":"9","variable":{"name":"Other"}}]}]',
        ),
        (
            '[2,"1","SetNetworkProfile",{"apn":{"apnPassword":"S3CRET"},"vpn":{"user":"u","Password":"S3CRET"}}]',
            '[2,"1","SetNetworkProfile",{"apn":{"apnPassword":"***"},"vpn":{"user":"u","Password":"***"}}]',
        ),
        (
            '[2,"1","SetNetworkProfile",{"vpn":{"password":1234},"apn":{"apnPassword":["S3CRET"],"password":null}}]',
            '[2,"1","SetNetworkProfile",{"vpn":{"password":"***"},"apn":{"apnPassword":"***","password":null}}]',
        ),
        (
            '[3,"1",{"configurationKey":[{"key":"AuthorizationKey","readonly":false,"value":"S3CRET"}]}]',
            '[3,"1",{"configurationKey":[{"key":"AuthorizationKey","readonly":false,"value":"***"}]}]',
        ),
        (
            '[2,"1","GetDiagnostics",{"location":"ftp://user:S3CRET@host/x"}]',
            '[2,"1","GetDiagnostics",{"location":"ftp://user:***@host/x"}]',
        ),
        (
            f'[2,"1","GetLog",{{"log":{{"remoteLocation":"https://h/device-files/{TOKEN}/a"}}}}]',
            '[2,"1","GetLog",{"log":{"remoteLocation":"https://h/device-files/***/a"}}]',
        ),
        # What is no JSON is masked as text.
        (
            '[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"S3CRET"',
            '[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"***"',
        ),
        (
            f'[2,"1","GetLog",{{"log":"ftp://u:S3CRET@h https://h/device-files/{TOKEN}"',
            '[2,"1","GetLog",{"log":"ftp://u:***@h https://h/device-files/***"',
        ),
    ],
)
def test_secrets_are_masked_and_everything_else_is_kept(told: str, kept: str) -> None:
    assert mask_frame(told) == kept


@pytest.mark.parametrize(
    "frame",
    [
        '[2, "1", "ChangeConfiguration", {"key": "HeartbeatInterval", "value": "300"}]',
        '[2, "1", "GetDiagnostics", {"location": "ftp://host/x"}]',
        '[2, "1", "DataTransfer", {"data": "a@b"}]',
        '[2, "1", "DataTransfer", {"data": "/device-files/"}]',
        '{"password":' + "[" * 100_000,
    ],
)
def test_a_frame_without_secrets_is_kept_as_received(frame: str) -> None:
    assert mask_frame(frame) == frame


def test_a_token_too_short_to_be_ours_is_no_secret() -> None:
    url = "https://h/device-files/fifteen-letters"
    assert mask_payload({"a": [url, 1, None]}) == {"a": [url, 1, None]}


def test_only_what_names_a_secret_masks_the_value_beside_it() -> None:
    named = {"variable": "BasicAuthPassword", "attributeValue": "1"}  # no object: names nothing
    assert mask_payload([named, {"key": 5, "value": "2"}, {"value": "3"}]) == [
        named,
        {"key": 5, "value": "2"},
        {"value": "3"},
    ]
    assert mask_payload({"key": "AuthorizationKey"}) == {"key": "AuthorizationKey"}


def test_a_badge_is_hinted_at_by_its_last_four_characters() -> None:
    assert [token_hint(token) for token in ("04A1B2C3", "B2C3", "3", "")] == ["B2C3", "B2C3", "3", ""]
