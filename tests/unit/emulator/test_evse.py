from __future__ import annotations

import pytest

from chargepoint_emulator.evse import (
    CHARGING_STATE_201,
    RUNNING_STATES,
    STATUS_16,
    STATUS_201,
    Event,
    State,
    next_state,
)

# Rows: states; columns: events in the order of EVENTS; "." = cannot happen, nothing changes.
EVENTS = list(Event)
SHORT = {
    "AV": State.AVAILABLE,
    "RV": State.RESERVED,
    "PL": State.PLUGGED,
    "AU": State.AUTHORISED,
    "RY": State.READY,
    "CH": State.CHARGING,
    "SV": State.SUSPENDED_EV,
    "SS": State.SUSPENDED_EVSE,
    "FI": State.FINISHING,
    "FA": State.FAULTED,
    "UN": State.UNAVAILABLE,
}
EXPECTED = """
     plug unplug authorise timeout flows ev_st evse_st    end fault disable restore r_plug    reserve release
AV   PL   .      AU        .       .     .        .          .   FA    UN      .       .         RV      .
RV   PL   .      AU        .       .     .        .          .   FA    UN      .       .         .       AV
PL   .    AV     RY        .       .     .        .          .   FA    UN      .       .         .       .
AU   RY   .      .         AV      .     .        .          .   FA    UN      .       .         .       .
RY   .    AV     .         .       CH    SV       SS         FI  FA    .       .       .         .       .
CH   .    AV     .         .       CH    SV       SS         FI  FA    .       .       .         .       .
SV   .    AV     .         .       CH    SV       SS         FI  FA    .       .       .         .       .
SS   .    AV     .         .       CH    SV       SS         FI  FA    .       .       .         .       .
FI   .    AV     RY        .       .     .        .          .   FA    UN      .       .         .       .
FA   FA   FA     .         .       .     .        .          .   .     UN      AV      PL        .       .
UN   UN   UN     .         .       .     .        .          .   FA    .       AV      PL        .       .
"""
PAIRS = [
    (SHORT[words[0]], event, None if word == "." else SHORT[word])
    for words in (line.split() for line in EXPECTED.strip().splitlines()[1:])
    for event, word in zip(EVENTS, words[1:], strict=True)
]


@pytest.mark.parametrize(("state", "event", "expected"), PAIRS)
def test_each_pair_of_state_and_event_leads_where_the_table_says(
    state: State, event: Event, expected: State | None
) -> None:
    assert next_state(state, event) is expected


def test_the_pairs_are_complete() -> None:
    assert len(PAIRS) == len(State) * len(Event)


def test_every_state_has_a_word_in_both_versions() -> None:
    assert set(STATUS_16) == set(STATUS_201) == set(State)
    assert set(STATUS_16.values()) == {
        "Available",
        "Preparing",
        "Charging",
        "SuspendedEV",
        "SuspendedEVSE",
        "Finishing",
        "Reserved",
        "Unavailable",
        "Faulted",
    }
    assert set(CHARGING_STATE_201) >= RUNNING_STATES
