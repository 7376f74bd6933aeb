from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervision.csms.frame import (
    Call,
    CallError,
    CallResult,
    ErrorCode,
    Malformed,
    MessageId,
    Version,
    action_at_sight,
    read_frame,
    write_call,
    write_error,
    write_result,
)

V16, V201 = Version.V16, Version.V201


def malformed(text: str, version: Version = V201) -> Malformed:
    frame = read_frame(text, version)
    assert isinstance(frame, Malformed)
    return frame


def test_a_call_is_read_into_id_action_and_payload() -> None:
    assert read_frame('[2,"1","Heartbeat",{}]', V16) == Call(message_id="1", action="Heartbeat", payload={})


def test_a_result_and_an_error_are_read() -> None:
    assert read_frame('[3,"1",{"status":"Accepted"}]', V16) == CallResult(
        message_id="1", payload={"status": "Accepted"}
    )
    assert read_frame('[4,"1","NotSupported","no",{}]', V16) == CallError(
        message_id="1", code="NotSupported", description="no", details={}
    )


def test_an_error_keeps_its_details_and_a_result_without_payload_is_empty() -> None:
    assert read_frame('[4,"1","NotSupported","no",{"a":1}]', V16) == CallError(
        message_id="1", code="NotSupported", description="no", details={"a": 1}
    )
    assert read_frame('[3,"1",null]', V16) == CallResult(message_id="1", payload={})


@pytest.mark.parametrize("text", ['[4,"1","GenericError"]', '[4,"1","GenericError",null,null]'])
def test_an_error_without_description_is_still_an_error(text: str) -> None:
    assert read_frame(text, V16) == CallError(message_id="1", code="GenericError", description="", details={})


def test_a_null_payload_is_an_empty_object() -> None:
    assert read_frame('[2,"1","Heartbeat",null]', V16) == Call(message_id="1", action="Heartbeat", payload={})


IN_QUOTES = "Expecting property name enclosed in double quotes"
BAD_INTEGER = "an integer of more than 64 bits"
NO_ID = "the message id is no text of 1 to 36 characters"
UNSTORABLE = "a string holds NUL or a lone surrogate"


@pytest.mark.parametrize(
    ("text", "message_id", "code", "answerable", "reason"),
    [
        ("", "-1", ErrorCode.FRAMEWORK, False, "not JSON: Expecting value at character 0"),
        ("   ", "-1", ErrorCode.FRAMEWORK, False, "not JSON: Expecting value at character 3"),
        ("nonsense", "-1", ErrorCode.FRAMEWORK, True, "not JSON: Expecting value at character 0"),
        ("{}", "-1", ErrorCode.FRAMEWORK, True, "not an array of OCPP-J"),
        ("[]", "-1", ErrorCode.FRAMEWORK, True, "not an array of OCPP-J"),
        ("42", "-1", ErrorCode.FRAMEWORK, True, "not an array of OCPP-J"),
        ('["2","1","Heartbeat",{}]', "1", ErrorCode.FRAMEWORK, True, "no message type"),
        ('[2.0,"1","Heartbeat",{}]', "1", ErrorCode.FRAMEWORK, True, "no message type"),
        ('[true,"1","Heartbeat",{}]', "1", ErrorCode.FRAMEWORK, True, "no message type"),
        ('[9,"1","Heartbeat",{}]', "1", ErrorCode.MESSAGE_TYPE, True, "unknown message type"),
        ('[2,"1","Heartbeat"]', "1", ErrorCode.PROTOCOL, True, "a CALL has four elements"),
        ('[2,"1","Heartbeat",{},{}]', "1", ErrorCode.PROTOCOL, True, "a CALL has four elements"),
        ('[2,"1",["Heartbeat"],{}]', "1", ErrorCode.FORMAT, True, "the action is no text"),
        ('[2,"1",{"a":1},{}]', "1", ErrorCode.FORMAT, True, "the action is no text"),
        ('[2,"1","Heartbeat",[]]', "1", ErrorCode.TYPE, True, "the payload is no object"),
        ('[2,null,"Heartbeat",{}]', "-1", ErrorCode.PROTOCOL, True, NO_ID),
        ('[2,{},"Heartbeat",{}]', "-1", ErrorCode.PROTOCOL, True, NO_ID),
        ('[2,"","Heartbeat",{}]', "-1", ErrorCode.PROTOCOL, True, NO_ID),
        ('[2,12345,"Heartbeat",{}]', 12345, ErrorCode.PROTOCOL, True, NO_ID),
        ('[2,true,"Heartbeat",{}]', "-1", ErrorCode.PROTOCOL, True, NO_ID),
        ('[2,1.5,"Heartbeat",{}]', "-1", ErrorCode.PROTOCOL, True, NO_ID),
        (f'[2,"{"x" * 37}","Heartbeat",{{}}]', "-1", ErrorCode.PROTOCOL, True, NO_ID),
        ('[2,"1","Heartbeat",{"a":NaN}]', "1", ErrorCode.FRAMEWORK, True, "NaN is not JSON"),
        ('[2,"1","Heartbeat",{"a":-Infinity}]', "1", ErrorCode.FRAMEWORK, True, "-Infinity is not JSON"),
        ('[2,"1","Heartbeat",{"a":1e400}]', "1", ErrorCode.FRAMEWORK, True, "a number out of range"),
        ('[2,"1","Heartbeat",{"a":9223372036854775808}]', "1", ErrorCode.FRAMEWORK, True, BAD_INTEGER),
        ('[2,"1","Heartbeat",{"a":-9223372036854775809}]', "1", ErrorCode.FRAMEWORK, True, BAD_INTEGER),
        (f'[2,"1","Heartbeat",{{"a":{"9" * 5000}}}]', "1", ErrorCode.FRAMEWORK, True, BAD_INTEGER),
        ('[2,"1","Heartbeat",{"a":"\\ud800"}]', "1", ErrorCode.FRAMEWORK, True, UNSTORABLE),
        ('[2,"1","Heartbeat",{"a":"\\udfff"}]', "1", ErrorCode.FRAMEWORK, True, UNSTORABLE),
        ('[2,"1","Heartbeat",{"a":"\ud800"}]', "1", ErrorCode.FRAMEWORK, True, UNSTORABLE),
        ('[2,"1","Heartbeat",{"a":"\\u0000"}]', "1", ErrorCode.FRAMEWORK, True, UNSTORABLE),
        ('[2,"1","Heartbeat",{"\\u0000":1}]', "1", ErrorCode.FRAMEWORK, True, UNSTORABLE),
        ('[2,"1","Heartbeat",' + "[" * 1000, "1", ErrorCode.FRAMEWORK, True, "nested deeper than 32"),
        (f'[2,"1","A",{{"a":"{"x" * 70_000}"}}]', "1", ErrorCode.FRAMEWORK, True, "more than 65536 bytes"),
        ('[3,"1",{', "1", ErrorCode.FRAMEWORK, False, f"not JSON: {IN_QUOTES} at character 8"),
        ('[3,"1"]', "1", ErrorCode.FORMAT, False, "not a CALLRESULT"),
        ('[3,"1",[]]', "1", ErrorCode.FORMAT, False, "the payload is no object"),
        ('[4,"1"]', "1", ErrorCode.FORMAT, False, "not a CALLERROR"),
        ('[4,"1",5]', "1", ErrorCode.FORMAT, False, "not a CALLERROR"),
        ('[4,5,"GenericError"]', 5, ErrorCode.FORMAT, False, "not a CALLERROR"),
    ],
)
def test_a_hostile_frame_is_refused_with_the_code_of_the_standard_and_a_reason(
    text: str, message_id: MessageId, code: ErrorCode, answerable: bool, reason: str
) -> None:
    frame = malformed(text)
    assert (frame.message_id, frame.code, frame.answerable) == (message_id, code, answerable)
    assert frame.reason == reason


def test_an_unknown_message_type_is_ignored_in_16_and_answered_in_201() -> None:
    assert malformed('[9,"1",{}]', V16).answerable is False
    assert malformed('[9,"1",{}]', V201).answerable is True


@pytest.mark.parametrize(
    ("text", "message_id", "action"),
    [
        ('[2,"7","StartTransaction",{"connectorId":1,', "7", "StartTransaction"),
        ('[2,"7","StartTransaction"]', "7", "StartTransaction"),
        ('[2,"7"]', "7", None),
        ('[2,"7",8,"StartTransaction"]', "7", None),
        (" " * 150 + '[2,"7","StartTransaction",{', "7", "StartTransaction"),
        (" " * 200 + '[2,"7","StartTransaction",{', "-1", None),  # not sought any further
    ],
)
def test_the_action_of_a_broken_call_is_recovered(text: str, message_id: str, action: str | None) -> None:
    frame = malformed(text)
    assert (frame.message_id, frame.action) == (message_id, action)


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ('[2,"1","Heartbeat",{}]', "Heartbeat"),
        (' [ 2 , "1" , "Heartbeat" , {', "Heartbeat"),
        ('[3,"1",{}]', None),
        ("{}", None),
        (" " * 190 + '[2,"1","Heartbeat",{}]', None),
    ],
)
def test_the_action_is_seen_at_the_beginning_without_reading_the_rest(text: str, action: str | None) -> None:
    assert action_at_sight(text) == action


@pytest.mark.parametrize(
    ("number", "version"), [("1.6", V16), ("2.0.1", V201), ("2.1", None), ("ocpp1.6", None), (None, None)]
)
def test_a_version_is_known_by_the_number_people_write(number: str | None, version: Version | None) -> None:
    assert Version.numbered(number) is version


def test_a_message_id_of_36_characters_is_the_longest() -> None:
    assert read_frame(f'[2,"{"x" * 36}","Heartbeat",{{}}]', V16) == Call(
        message_id="x" * 36, action="Heartbeat", payload={}
    )


def test_a_frame_of_exactly_64_kib_is_read() -> None:
    text = '[2,"1","X",{"a":"' + "é" * 32_758 + '"}]'
    assert len(text.encode()) == 64 * 1024
    assert read_frame(text, V16) == Call(message_id="1", action="X", payload={"a": "é" * 32_758})
    assert malformed(text + " ").reason == "more than 65536 bytes"


def test_the_largest_64_bit_integers_are_accepted() -> None:
    frame = read_frame('[2,"1","X",{"a":9223372036854775807,"b":-9223372036854775808}]', V16)
    assert isinstance(frame, Call)
    assert frame.payload == {"a": 2**63 - 1, "b": -(2**63)}


def test_depth_32_is_accepted_and_33_refused() -> None:
    def nested(depth: int) -> str:
        return f'[2,"1","X",{{"a":{"[" * (depth - 2)}{"]" * (depth - 2)}}}]'

    assert isinstance(read_frame(nested(32), V16), Call)
    assert malformed(nested(33)).reason == "nested deeper than 32"


def test_only_what_is_open_at_once_is_depth() -> None:
    """Forty lists beside one that reaches the limit, and beside one that goes beyond it."""

    def beside(depth: int) -> str:
        return f'[2,"1","X",{{"a":[{"[]," * 40}{"[" * (depth - 3)}{"]" * (depth - 3)}]}}]'

    assert isinstance(read_frame(beside(32), V16), Call)
    assert malformed(beside(33)).reason == "nested deeper than 32"


def test_brackets_inside_text_are_not_depth() -> None:
    frame = read_frame(json.dumps([2, "1", "X", {"a": '[{"' * 200}]), V16)
    assert isinstance(frame, Call)


def test_an_escaped_backslash_before_u_is_text() -> None:
    frame = read_frame('[2,"1","X",{"a":"\\\\u0000"}]', V16)
    assert isinstance(frame, Call)
    assert frame.payload == {"a": "\\u0000"}


def test_of_duplicate_keys_the_last_wins() -> None:
    assert read_frame('[2,"1","X",{"a":1,"a":2}]', V16) == Call(message_id="1", action="X", payload={"a": 2})


@pytest.mark.parametrize(
    ("code", "in_16", "in_201"),
    [
        (ErrorCode.FORMAT, "FormationViolation", "FormatViolation"),
        (ErrorCode.OCCURRENCE, "OccurenceConstraintViolation", "OccurrenceConstraintViolation"),
        (ErrorCode.FRAMEWORK, "FormationViolation", "RpcFrameworkError"),
        (ErrorCode.NOT_IMPLEMENTED, "NotImplemented", "NotImplemented"),
    ],
)
def test_error_codes_are_spelt_as_each_version_wants(code: ErrorCode, in_16: str, in_201: str) -> None:
    assert json.loads(write_error("1", code, "why", V16))[2] == in_16
    assert json.loads(write_error("1", code, "why", V201))[2] == in_201


def test_writers_are_compact_and_read_back() -> None:
    assert write_call("1", "Reset", {"type": "Soft"}) == '[2,"1","Reset",{"type":"Soft"}]'
    assert write_result("1", {"status": "é"}) == '[3,"1",{"status":"é"}]'
    assert write_result('"', {}) == '[3,"\\"",{}]'
    assert write_result(12345, {}) == "[3,12345,{}]"
    assert write_error("1", ErrorCode.GENERIC, "x" * 300, V16) == f'[4,"1","GenericError","{"x" * 255}",{{}}]'


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(st.text(max_size=200), st.sampled_from(Version))
def test_any_text_is_read_without_an_exception(text: str, version: Version) -> None:
    assert read_frame(text, version) is not None


@given(st.lists(JSON, max_size=6), st.sampled_from(Version))
def test_any_json_array_is_read_without_an_exception(message: list[Any], version: Version) -> None:
    frame = read_frame(json.dumps(message), version)
    if isinstance(frame, Malformed):
        assert 1 <= len(str(frame.message_id)) <= 36


@given(st.text(min_size=1, max_size=36), st.text(), st.dictionaries(st.text(), st.integers()))
def test_what_is_written_is_storable_or_refused_on_reading(
    message_id: str, action: str, payload: dict[str, int]
) -> None:
    frame = read_frame(json.dumps([2, message_id, action, payload]), V16)
    if isinstance(frame, Call) and "\0" not in action:
        json.dumps(frame.payload, ensure_ascii=False).encode("utf-8")
        assert frame.payload == {k: v for k, v in payload.items() if -(2**63) <= v < 2**63}
