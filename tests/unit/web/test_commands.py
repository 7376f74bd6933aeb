"""Commands of the portal as messages of both versions, checked against the schemas of the standard."""

from __future__ import annotations

from typing import Any

import pytest

from supervision.csms.frame import Version
from supervision.csms.judgement import _OF_ACTION, _WORDS, NO_ANSWER, NO_FILE, NO_VALUE, Awaits
from supervision.csms.schemas import violations
from supervision.kernel.errors import FieldError
from supervision.web.i18n import translator
from supervision.web.i18n.words import STATUS_WORDS, Words
from supervision.web.views.commands import BUILDERS, Target, order_from

FORM = {
    "evse_id": "2",
    "id_token": "04A1B2C3",
    "reset_kind": "soft",
    "availability": "off",
    "message": "MeterValues",
    "key": "",
    "limit_a": "10,06",
}
TARGETS = {
    Version.V16: Target(ocpp="1.6", running={2: "1042"}),
    Version.V201: Target(ocpp="2.0.1", running={2: "tx-7"}),
}


@pytest.mark.parametrize("version", TARGETS)
@pytest.mark.parametrize("command", BUILDERS)
def test_order_holds_against_the_schema_of_its_version(command: str, version: Version) -> None:
    order = order_from({**FORM, "command": command}, TARGETS[version])
    assert violations(version, order.action, dict(order.payload), answer=False) == []


@pytest.mark.parametrize(
    ("form", "payload"),
    [
        ({"command": "stop"}, {"transactionId": 1042}),
        ({"command": "limit"}, 10.0),
        ({"command": "trigger", "message": "Heartbeat"}, {"requestedMessage": "Heartbeat"}),
        ({"command": "configuration", "key": " HeartbeatInterval "}, {"key": ["HeartbeatInterval"]}),
    ],
)
def test_order_says_what_the_form_says(form: dict[str, str], payload: Any) -> None:
    order = order_from({**FORM, **form}, TARGETS[Version.V16])
    if isinstance(payload, float):
        profile = order.payload["csChargingProfiles"]["chargingSchedule"]
        assert profile["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": payload}]
    else:
        assert order.payload == payload


@pytest.mark.parametrize(
    ("form", "path"),
    [
        ({"command": "explode"}, "command"),
        ({"command": "start", "id_token": ""}, "id_token"),
        ({"command": "start", "id_token": "x" * 21}, "id_token"),
        ({"command": "stop", "evse_id": "1"}, "evse_id"),
        ({"command": "unlock", "evse_id": "²"}, "evse_id"),
        ({"command": "limit", "limit_a": "nan"}, "limit_a"),
        ({"command": "limit", "limit_a": "-1"}, "limit_a"),
        ({"command": "reset", "reset_kind": "boom"}, "reset_kind"),
        ({"command": "availability", "availability": "perhaps"}, "availability"),
    ],
)
def test_broken_form_names_its_field(form: dict[str, str], path: str) -> None:
    with pytest.raises(FieldError) as raised:
        order_from({**FORM, **form}, TARGETS[Version.V16])
    assert raised.value.path == path


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_meaning_and_every_status_has_plain_words(language: str) -> None:
    words = Words(translator(language))
    codes = [("done", ""), ("refused", ""), ("partly", ""), *(("pending", one.value) for one in Awaits)]
    assert [code for code in codes if words.verdict(*code) in code] == []
    known = {*_WORDS, *(word for _, word in _OF_ACTION), NO_ANSWER, NO_FILE, NO_VALUE}
    assert known == set(STATUS_WORDS)
    assert all(words.status_word(word) != word for word in known)


def test_a_code_of_an_error_is_shown_as_it_is() -> None:
    assert Words(translator("fr")).status_word("SecurityError") == "SecurityError"
