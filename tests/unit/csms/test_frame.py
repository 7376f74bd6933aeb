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


@pytest.mark.parametrize("text", ['[4,"1","GenericError"]', '[4,"1","GenericError",null,null]'])
def test_an_error_without_description_is_still_an_error(text: str) -> None:
    assert read_frame(text, V16) == CallError(message_id="1", code="GenericError", description="", details={})


def test_a_null_payload_is_an_empty_object() -> None:
    assert read_frame('[2,"1","Heartbeat",null]', V16) == Call(message_id="1", action="Heartbeat", payload={})


@pytest.mark.parametrize(
    ("text", "message_id", "code", "answerable"),
    [
        ("", "-1", ErrorCode.FRAMEWORK, False),
        ("   ", "-1", ErrorCode.FRAMEWORK, False),
        ("nonsense", "-1", ErrorCode.FRAMEWORK, True),
        ("{}", "-1", ErrorCode.FRAMEWORK, True),
        ("[]", "-1", ErrorCode.FRAMEWORK, True),
        ("42", "-1", ErrorCode.FRAMEWORK, True),
        ('["2","1","Heartbeat",{}]', "1", ErrorCode.FRAMEWORK, True),
        ('[2.0,"1","Heartbeat",{}]', "1", ErrorCode.FRAMEWORK, True),
        ('[true,"1","Heartbeat",{}]', "1", ErrorCode.FRAMEWORK, True),
        ('[9,"1","Heartbeat",{}]', "1", ErrorCode.MESSAGE_TYPE, True),
        ('[2,"1","Heartbeat"]', "1", ErrorCode.PROTOCOL, True),
        ('[2,"1","Heartbeat",{},{}]', "1", ErrorCode.PROTOCOL, True),
        ('[2,"1",["Heartbeat"],{}]', "1", ErrorCode.FORMAT, True),
        ('[2,"1",{"a":1},{}]', "1", ErrorCode.FORMAT, True),
        ('[2,"1","Heartbeat",[]]', "1", ErrorCode.TYPE, True),
        ('[2,null,"Heartbeat",{}]', "-1", ErrorCode.PROTOCOL, True),
        ('[2,{},"Heartbeat",{}]', "-1", ErrorCode.PROTOCOL, True),
        ('[2,"","Heartbeat",{}]', "-1", ErrorCode.PROTOCOL, True),
        ('[2,12345,"Heartbeat",{}]', 12345, ErrorCode.PROTOCOL, True),
        ('[2,true,"Heartbeat",{}]', "-1", ErrorCode.PROTOCOL, True),
        ('[2,1.5,"Heartbeat",{}]', "-1", ErrorCode.PROTOCOL, True),
        (f'[2,"{"x" * 37}","Heartbeat",{{}}]', "-1", ErrorCode.PROTOCOL, True),
        ('[2,"1","Heartbeat",{"a":NaN}]', "1", ErrorCode.FRAMEWORK, True),
        ('[2,"1","Heartbeat",{"a":-Infinity}]', "1", ErrorCode.FRAMEWORK, True),
        ('[2,"1","Heartbeat",{"a":1e400}]', "1", ErrorCode.FRAMEWORK, True),
        ('[2,"1","Heartbeat",{"a":9223372036854775808}]', "1", ErrorCode.FRAMEWORK, True),
        (f'[2,"1","Heartbeat",{{"a":{"9" * 5000}}}]', "1", ErrorCode.FRAMEWORK, True),
        ('[2,"1","Heartbeat",{"a":"\\ud800"}]', "1", ErrorCode.FRAMEWORK, True),
        ('[2,"1","Heartbeat",{"a":"\\u0000"}]', "1", ErrorCode.FRAMEWORK, True),
        ('[2,"1","Heartbeat",{"\\u0000":1}]', "1", ErrorCode.FRAMEWORK, True),
        (f'[2,"1","Heartbeat",{"[" * 1000}', "1", ErrorCode.FRAMEWORK, True),
        (f'[2,"1","Heartbeat",{{"a":"{"x" * 70_000}"}}]', "1", ErrorCode.FRAMEWORK, True),
        ('[3,"1"]', "1", ErrorCode.FORMAT, False),
        ('[3,"1",[]]', "1", ErrorCode.FORMAT, False),
        ('[4,"1"]', "1", ErrorCode.FORMAT, False),
    ],
)
def test_a_hostile_frame_is_refused_with_the_code_of_the_standard(
    text: str, message_id: MessageId, code: ErrorCode, answerable: bool
) -> None:
    frame = malformed(text)
    assert (frame.message_id, frame.code, frame.answerable) == (message_id, code, answerable)


def test_an_unknown_message_type_is_ignored_in_16_and_answered_in_201() -> None:
    assert malformed('[9,"1",{}]', V16).answerable is False
    assert malformed('[9,"1",{}]', V201).answerable is True


def test_the_action_of_a_broken_call_is_recovered() -> None:
    assert malformed('[2,"7","StartTransaction",{"connectorId":1,').action == "StartTransaction"


def test_the_largest_64_bit_integers_are_accepted() -> None:
    frame = read_frame('[2,"1","X",{"a":9223372036854775807,"b":-9223372036854775808}]', V16)
    assert isinstance(frame, Call)
    assert frame.payload == {"a": 2**63 - 1, "b": -(2**63)}


def test_depth_32_is_accepted_and_33_refused() -> None:
    def nested(depth: int) -> str:
        return f'[2,"1","X",{{"a":{"[" * (depth - 2)}{"]" * (depth - 2)}}}]'

    assert isinstance(read_frame(nested(32), V16), Call)
    assert malformed(nested(33)).code == ErrorCode.FRAMEWORK


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
