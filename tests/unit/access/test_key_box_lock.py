"""The inside of the simulated key box."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from supervision.access.providers.key_box import BoxCode, BoxEvent
from supervision.access.providers.key_box.simulated.lock import (
    BoxState,
    Opened,
    enter,
    from_json,
    hold,
    open_from_afar,
    put_key_back,
    take_key,
    to_json,
)
from supervision.kernel.errors import Refused

T = datetime(2026, 11, 21, 8, tzinfo=UTC)
CODE = BoxCode(
    booking_id="b1",
    revision=1,
    digits="12345678",
    slot=3,
    valid_from=T,
    valid_until=T + timedelta(hours=2),
)
NEXT = replace(
    CODE,
    booking_id="b2",
    digits="87654321",
    valid_from=T + timedelta(hours=2),
    valid_until=T + timedelta(hours=4),
)
BOX = hold(BoxState(), [CODE, NEXT])
WRONG = "11111111"


def after(minutes: float) -> datetime:
    return T + timedelta(minutes=minutes)


def wrong_times(state: BoxState, count: int, at: datetime) -> tuple[BoxState, Refused]:
    answer: Opened | Refused = Refused("none")
    for _ in range(count):
        state, answer = enter(state, WRONG, at)
    assert isinstance(answer, Refused)
    return state, answer


def key_out() -> BoxState:
    state, _ = enter(BOX, "12345678", after(1))
    state, _ = take_key(state, after(1))
    return state


def test_code_opens_its_slot_inside_its_window() -> None:
    state, opened = enter(BOX, "12345678", after(1))
    assert opened == Opened(slot=3, booking_id="b1", key_present=True)
    assert state.open_slot == 3


def test_code_outside_its_window_is_a_wrong_code() -> None:
    assert enter(BOX, "12345678", after(-3))[1] == Refused("wrong_code", {"left": 4})
    assert enter(BOX, "12345678", after(123))[1] == Refused("wrong_code", {"left": 4})


def test_window_bears_two_minutes_of_clock_error() -> None:
    assert isinstance(enter(BOX, "12345678", after(-2))[1], Opened)
    assert isinstance(enter(BOX, "12345678", after(121.9))[1], Opened)


def test_key_is_taken_and_put_back() -> None:
    state, _ = enter(BOX, "12345678", after(1))
    state, taken = take_key(state, after(1))
    assert taken == BoxEvent(kind="key_taken", at=after(1), slot=3, booking_id="b1")
    assert take_key(state, after(2))[1] == Refused("slot_closed")
    state, opened = enter(state, "12345678", after(60))
    assert opened == Opened(slot=3, booking_id="b1", key_present=False)
    assert take_key(state, after(60))[1] == Refused("key_missing")
    state, returned = put_key_back(state, after(60))
    assert returned == BoxEvent(kind="key_returned", at=after(60), slot=3, booking_id="b1")
    assert (state.absent, state.open_slot) == ({}, None)


def test_second_key_does_not_fit() -> None:
    state, _ = enter(BOX, "12345678", after(1))
    assert put_key_back(state, after(1))[1] == Refused("key_present")
    assert put_key_back(BOX, after(1))[1] == Refused("slot_closed")


def test_C25_late_driver_can_always_put_the_key_back() -> None:
    state, opened = enter(key_out(), "12345678", after(600))
    assert opened == Opened(slot=3, booking_id="b1", key_present=False)
    state, _ = put_key_back(state, after(600))
    assert enter(state, "12345678", after(601))[1] == Refused("wrong_code", {"left": 4})


def test_next_driver_finds_the_slot_empty() -> None:
    assert enter(key_out(), "87654321", after(125))[1] == Opened(slot=3, booking_id="b2", key_present=False)


def test_five_wrong_codes_lock_the_box_for_five_minutes() -> None:
    state, answer = wrong_times(BOX, 5, after(1))
    assert answer == Refused("box_locked", {"until": "2026-11-21T08:06:00Z"})
    assert enter(state, "12345678", after(5.9))[1] == answer
    assert isinstance(enter(state, "12345678", after(6))[1], Opened)
    assert [event.kind for event in state.log] == ["wrong_code"] * 5 + ["locked_out"]


def test_each_lock_within_a_day_is_twice_as_long_up_to_four_hours() -> None:
    state, at, lengths = BOX, T, []
    for _ in range(8):
        state, _ = wrong_times(state, 5, at)
        assert state.locked_until is not None
        lengths.append((state.locked_until - at).total_seconds() / 60)
        at = state.locked_until
    assert lengths == [5, 10, 20, 40, 80, 160, 240, 240]
    state, _ = wrong_times(state, 5, at + timedelta(days=1))
    assert state.locked_until == at + timedelta(days=1, minutes=5)


def test_guesser_gets_at_most_fifty_tries_a_day() -> None:
    """Against 90 million codes: one box opens with 0.02 % in a year of guessing every day."""
    state, at, tries = BOX, T, 0
    while at < T + timedelta(days=1):
        state, answer = enter(state, WRONG, at)
        tries += 1
        assert isinstance(answer, Refused)
        if state.locked_until is not None and at < state.locked_until:
            at = state.locked_until
    assert tries <= 60


def test_right_code_forgets_the_typing_errors_before_it() -> None:
    state, _ = wrong_times(BOX, 4, after(1))
    state, _ = enter(state, "12345678", after(1))
    assert wrong_times(state, 4, after(2))[1] == Refused("wrong_code", {"left": 1})


def test_revoked_and_replaced_codes_open_nothing() -> None:
    new = replace(CODE, revision=2, digits="55555555")
    state = hold(BOX, [new])
    assert enter(state, "12345678", after(1))[1] == Refused("wrong_code", {"left": 4})
    assert isinstance(enter(state, "55555555", after(1))[1], Opened)
    assert enter(hold(state, []), "55555555", after(1))[1] == Refused("wrong_code", {"left": 4})


def test_drifting_clock_decides_until_the_next_contact() -> None:
    slow = replace(BOX, drift_s=-600)
    assert isinstance(enter(slow, "12345678", after(5))[1], Refused)
    assert isinstance(enter(slow, "12345678", after(10))[1], Opened)
    assert isinstance(enter(hold(slow, [CODE]), "12345678", after(5))[1], Opened)


def test_jammed_box_says_so() -> None:
    assert enter(replace(BOX, fault="door"), "12345678", after(1))[1] == Refused(
        "box_fault", {"fault": "door"}
    )


def test_C27_opening_from_afar_gives_the_key_of_nobodys_booking() -> None:
    state, taken = take_key(open_from_afar(BOX, 3, after(1)), after(2))
    assert taken == BoxEvent(kind="key_taken", at=after(2), slot=3)
    state, back = put_key_back(open_from_afar(state, 3, after(9)), after(9))
    assert back == BoxEvent(kind="key_returned", at=after(9), slot=3)


def test_state_survives_storage_and_holds_no_digits() -> None:
    state, _ = wrong_times(replace(key_out(), fault="door", offline=True, drift_s=7), 5, after(2))
    jammed, _ = wrong_times(key_out(), 5, after(2))
    assert from_json(to_json(state)) == state
    assert from_json(to_json(jammed)) == jammed
    assert from_json({}) == BoxState()
    assert "12345678" not in str(to_json(jammed))
