"""What a station's local authorisation list is sent, from what is wanted, what it holds and what it said."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervision.csms import local_list
from supervision.csms.local_list import (
    MOST_VERSION,
    AskLimits,
    AskVersion,
    Entry,
    Known,
    Limits,
    ListState,
    Rest,
    Send,
    next_step,
)

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
A, B, C = (Entry(token=token, type="ISO14443") for token in "ABC")
ASKED = Known(limits=Limits(per_message=10), has_version=True)


def held(*entries: Entry, version: int = 5, per_message: int = 10) -> Known:
    marks = {entry.token: entry.fingerprint for entry in entries}
    return replace(ASKED, limits=Limits(per_message=per_message), version=version, held=marks)


def sent(known: Known, *wanted: Entry) -> Send:
    step = next_step(known, wanted, NOW)
    assert isinstance(step, Send)
    return step


def test_limits_and_version_are_asked_before_anything_is_sent() -> None:
    assert next_step(Known(), [A], NOW) == AskLimits()
    assert next_step(Known(limits=Limits()), [A], NOW) == AskVersion()


def test_empty_station_gets_the_full_list() -> None:
    known = local_list.told_version(replace(ASKED, has_version=False), 0)
    marks = {"A": "ISO14443||", "B": "ISO14443||"}
    assert sent(known, A, B) == Send(version=1, full=True, entries=(A, B), after=marks)


def test_nothing_wanted_and_nothing_held_is_in_sync() -> None:
    known = local_list.told_version(replace(ASKED, has_version=False), 0)
    assert next_step(known, [], NOW) == Rest(state=ListState.IN_SYNC)


def test_change_is_sent_as_a_difference_with_the_next_version() -> None:
    step = sent(held(A, B), A, C)
    assert (step.version, step.full, step.entries, step.removed) == (6, False, (C,), (("B", "ISO14443"),))
    assert set(step.after) == {"A", "C"}


def test_changed_entry_is_sent_again() -> None:
    changed = replace(A, expires_at="2026-12-01T00:00:00Z")
    assert sent(held(A, B), changed, B).entries == (changed,)


def test_full_list_is_sent_where_it_is_shorter() -> None:
    step = sent(held(A, B, C), replace(A, parent="G"))
    assert (step.full, [entry.token for entry in step.entries]) == (True, ["A"])


def test_version_never_becomes_zero_or_too_large() -> None:
    step = sent(held(A, version=MOST_VERSION), A, B)
    assert (step.version, step.full) == (1, True)


def test_station_takes_so_many_entries_only() -> None:
    known = replace(held(), limits=Limits(most_entries=2, per_message=10))
    assert [entry.token for entry in sent(known, A, B, C).entries] == ["A", "B"]


def test_a_station_that_names_no_number_gets_twenty_at_once() -> None:
    known = replace(held(), limits=Limits())
    many = [Entry(token=f"T{number:02}", type="Central") for number in range(30)]
    assert len(sent(known, *many).entries) == 20


def test_removals_and_changes_share_one_message() -> None:
    step = sent(held(A, B, per_message=2), A, C)
    assert (step.entries, step.removed) == ((C,), (("B", "ISO14443"),))
    assert step.after == {"A": "ISO14443||", "C": "ISO14443||"}


def test_a_difference_as_long_as_the_list_is_still_a_difference() -> None:
    assert sent(held(B), A).full is True  # one in, one out, of a list of one
    assert sent(held(A, B), C, A).full is False
    assert sent(held(A), *()).removed == (("A", "ISO14443"),)


def test_only_what_becomes_version_one_is_told_in_full() -> None:
    assert sent(held(A, version=1), A, B).full is False
    assert sent(replace(held(A, version=0), held={"A": A.fingerprint}), A, B).full is True
    assert (sent(held(A, version=MOST_VERSION - 1), A, B).version) == MOST_VERSION


def test_removals_go_first_when_the_message_is_full() -> None:
    step = sent(held(A, B, per_message=1), A, C)
    assert (step.entries, step.removed) == ((), (("B", "ISO14443"),))


@pytest.mark.parametrize("status", ["Failed", "VersionMismatch"])
def test_refused_difference_is_followed_by_the_full_list(status: str) -> None:
    known = held(A)
    after = local_list.answered(known, sent(known, A, B), status, NOW)
    if status == "VersionMismatch":
        assert next_step(after, [A, B], NOW) == AskVersion()
        after = local_list.told_version(after, 9)
    step = sent(after, A, B)
    assert (step.full, step.version) == (True, 10 if status == "VersionMismatch" else 6)


def test_an_accepted_list_ends_all_doubt_and_patience() -> None:
    before = replace(held(A), failures=3, refused=True, retry_at=NOW, doubt=(6, {}))
    step = sent(held(A), A, B)
    assert local_list.answered(before, step, "Accepted", NOW) == held(A, B, version=6)


def test_silence_and_errors_are_remembered_until_the_version_is_told() -> None:
    step = sent(held(A), A, B)
    silent = local_list.unanswered(held(A), step, None, NOW)
    soon = NOW + timedelta(minutes=5)
    assert silent == replace(
        held(A), has_version=False, doubt=(6, dict(step.after)), failures=1, retry_at=soon
    )
    refused = local_list.unanswered(held(A), step, "InternalError", NOW)
    assert refused == replace(held(A), has_version=False, held=None, failures=1, refused=True, retry_at=soon)


@pytest.mark.parametrize(("error_code", "refused"), [("GenericError", True), (None, False)])
def test_a_question_without_an_answer_is_put_off(error_code: str | None, refused: bool) -> None:
    after = local_list.put_off(ASKED, error_code, NOW)
    assert after == replace(ASKED, failures=1, refused=refused, retry_at=NOW + timedelta(minutes=5))


def test_what_others_have_changed_is_not_known_any_more() -> None:
    before = replace(held(A), doubt=(6, {}))
    assert local_list.changed_by_others(before) == replace(held(A), has_version=False, held=None)


@pytest.mark.parametrize(
    ("reported", "after"),
    [
        (0, replace(held(version=0), held={})),
        (5, held(A)),
        (6, replace(held(A, B), version=6)),
        (7, replace(held(version=7), held=None)),
    ],
)
def test_the_version_told_settles_what_the_station_holds(reported: int, after: Known) -> None:
    """It held 5; whether it took 6 nobody knows."""
    doubtful = replace(held(A), has_version=False, doubt=(6, dict(held(A, B).held or {})))
    assert local_list.told_version(doubtful, reported) == after


def test_a_boot_forgets_what_was_learnt_and_keeps_the_list() -> None:
    before = replace(held(A), failures=4, retry_at=NOW, supported=False, doubt=(6, {}))
    assert local_list.booted(before) == Known(version=5, held=held(A).held, doubt=(6, {}))


def test_refused_full_list_waits_longer_each_time() -> None:
    known, pauses = replace(held(A), held=None), []
    now = NOW
    for _ in range(12):
        step = next_step(known, [A], now)
        assert isinstance(step, Send)
        known = local_list.answered(known, step, "Failed", now)
        assert known.retry_at is not None
        assert next_step(known, [A], now) == Rest(state=ListState.REFUSED)
        pauses.append((known.retry_at - now) / timedelta(minutes=1))
        now = known.retry_at
    assert pauses == [5, 10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440, 1440]


def test_unsupported_is_never_asked_again_before_the_next_boot() -> None:
    known = local_list.answered(held(A), sent(held(A), B), "NotSupported", NOW)
    for moment in (NOW, NOW + timedelta(days=900)):
        assert next_step(known, [B], moment) == Rest(state=ListState.NOT_SUPPORTED)
    assert next_step(local_list.booted(known), [B], NOW) == AskLimits()
    assert known == replace(held(A), supported=False)
    assert local_list.told_version(ASKED, -1) == replace(ASKED, supported=False)
    step = sent(held(A), B)
    assert local_list.unanswered(held(A), step, "NotImplemented", NOW) == replace(held(A), supported=False)
    assert local_list.put_off(ASKED, "NotSupported", NOW) == replace(ASKED, supported=False)


def test_after_silence_the_version_tells_which_list_the_station_holds() -> None:
    known = held(A)
    step = sent(known, A, B)
    silent = local_list.unanswered(known, step, None, NOW)
    assert next_step(silent, [A, B], NOW) == Rest(state=ListState.WAITING)
    assert silent.retry_at is not None
    assert next_step(silent, [A, B], silent.retry_at) == AskVersion()
    took, did_not, other = (local_list.told_version(silent, version) for version in (6, 5, 77))
    assert took.held == step.after
    assert did_not.held == known.held
    assert other.held is None


def test_foreign_list_is_replaced() -> None:
    known = local_list.told_version(local_list.changed_by_others(held(A)), 5)
    step = sent(known, A)
    assert (step.full, step.version) == (True, 6)


@given(
    first=st.sets(st.integers(0, 40)),
    second=st.sets(st.integers(0, 40)),
    per_message=st.integers(1, 7),
)
def test_accepted_messages_lead_to_the_wanted_list(
    first: set[int], second: set[int], per_message: int
) -> None:
    """Whatever is wanted, a station that follows the standard ends with exactly it."""
    station: dict[str, str] = {}
    known = replace(ASKED, limits=Limits(per_message=per_message), held={})
    version = 0
    for wanted in (first, second):
        entries = [Entry(token=f"T{number}", type="Central") for number in sorted(wanted)]
        while not isinstance(step := next_step(known, entries, NOW), Rest):
            assert isinstance(step, Send)
            assert step.version > version
            assert len(step.entries) + len(step.removed) <= per_message
            station = {} if step.full else station
            for token, _ in step.removed:
                del station[token]
            station |= {entry.token: entry.fingerprint for entry in step.entries}
            version = step.version
            known = local_list.answered(known, step, "Accepted", NOW)
        assert step.state is ListState.IN_SYNC
        assert station == {entry.token: entry.fingerprint for entry in entries}


def test_wire_of_both_versions() -> None:
    entry = Entry(token="A", type="ISO14443", expires_at="2026-12-01T00:00:00Z", parent="G")
    send = Send(version=7, full=False, entries=(entry,), removed=(("B", "odd"), ("C", "KeyCode")))
    assert local_list.payload("1.6", send) == {
        "listVersion": 7,
        "updateType": "Differential",
        "localAuthorizationList": [
            {
                "idTag": "A",
                "idTagInfo": {
                    "status": "Accepted",
                    "expiryDate": "2026-12-01T00:00:00Z",
                    "parentIdTag": "G",
                },
            },
            {"idTag": "B"},
            {"idTag": "C"},
        ],
    }
    assert local_list.payload("2.0.1", send) == {
        "versionNumber": 7,
        "updateType": "Differential",
        "localAuthorizationList": [
            {
                "idToken": {"idToken": "A", "type": "ISO14443"},
                "idTokenInfo": {
                    "status": "Accepted",
                    "cacheExpiryDateTime": "2026-12-01T00:00:00Z",
                    "groupIdToken": {"idToken": "G", "type": "Central"},
                },
            },
            {"idToken": {"idToken": "B", "type": "Central"}},
            {"idToken": {"idToken": "C", "type": "KeyCode"}},
        ],
    }
    assert local_list.payload("2.0.1", Send(version=8, full=True)) == {
        "versionNumber": 8,
        "updateType": "Full",
    }


@pytest.mark.parametrize(
    ("version", "response", "limits"),
    [
        (
            "1.6",
            {
                "configurationKey": [
                    {"key": "LocalAuthListMaxLength", "value": " 500 ", "readonly": True},
                    {"key": "SendLocalListMaxLength", "value": "20", "readonly": True},
                ]
            },
            Limits(most_entries=500, per_message=20),
        ),
        ("1.6", {"configurationKey": [{"key": "LocalAuthListMaxLength", "value": "many"}]}, Limits()),
        ("1.6", {"unknownKey": ["LocalAuthListMaxLength"]}, Limits()),
        (
            "2.0.1",
            {"getVariableResult": [{"attributeStatus": "Accepted", "attributeValue": "0"}]},
            Limits(),
        ),
        (
            "2.0.1",
            {"getVariableResult": [{"attributeStatus": "Accepted", "attributeValue": "15"}]},
            Limits(per_message=15),
        ),
        (
            "2.0.1",
            {"getVariableResult": [{"attributeStatus": "Accepted", "attributeValue": 1}]},
            Limits(per_message=1),
        ),
        ("2.0.1", {"getVariableResult": [{"attributeStatus": "UnknownVariable"}]}, Limits()),
    ],
)
def test_limits_are_read_as_stations_tell_them(
    version: local_list.OcppVersion, response: dict[str, object], limits: Limits
) -> None:
    assert local_list.limits_in(version, response) == limits


def test_questions_for_the_limits() -> None:
    assert local_list.limits_question("1.6") == (
        "GetConfiguration",
        {"key": ["LocalAuthListMaxLength", "SendLocalListMaxLength"]},
    )
    wanted = {"component": {"name": "LocalAuthListCtrlr"}, "variable": {"name": "ItemsPerMessage"}}
    assert local_list.limits_question("2.0.1") == ("GetVariables", {"getVariableData": [wanted]})


@pytest.mark.parametrize(
    ("version", "response", "number"),
    [
        ("1.6", {"listVersion": 7}, 7),
        ("1.6", {"versionNumber": 7}, None),
        ("2.0.1", {"versionNumber": 0}, 0),
        ("2.0.1", {"listVersion": 7}, None),
        ("2.0.1", {"versionNumber": True}, None),
        ("2.0.1", {"versionNumber": "7"}, None),
    ],
)
def test_the_version_is_read_where_each_standard_has_it(
    version: local_list.OcppVersion, response: dict[str, object], number: int | None
) -> None:
    assert local_list.version_in(version, response) == number


def test_a_group_too_long_for_a_version_is_left_out() -> None:
    entries = [Entry(token="A", type="Central", parent="x" * n) for n in (20, 21)]
    assert [local_list.fits("1.6", entry) for entry in entries] == [True, False]


def test_a_badge_without_end_and_group_is_written_without_them() -> None:
    send = Send(version=1, full=True, entries=(A,))
    assert local_list.payload("1.6", send)["localAuthorizationList"] == [
        {"idTag": "A", "idTagInfo": {"status": "Accepted"}}
    ]
    assert local_list.payload("2.0.1", send)["localAuthorizationList"] == [
        {"idToken": {"idToken": "A", "type": "ISO14443"}, "idTokenInfo": {"status": "Accepted"}}
    ]


def test_badge_too_long_for_a_version_is_left_out() -> None:
    assert [local_list.fits("1.6", Entry(token="x" * n, type="Central")) for n in (20, 21)] == [True, False]
    assert [local_list.fits("2.0.1", Entry(token="x" * n, type="Central")) for n in (36, 37)] == [True, False]
