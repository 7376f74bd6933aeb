from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervision.csms.machine import ChargingTransaction, State, apply, decide, fold
from supervision.csms.model import (
    RANK_OF_STOP,
    Ground,
    Phase,
    PresumedEnd,
    SettledHow,
    Settlement,
    TransactionFact,
)

START = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)


def fact(phase: Phase, rank: int, minute: int, register_wh: int | None = None) -> TransactionFact:
    at = START + timedelta(minutes=minute)
    return TransactionFact(
        phase=phase,
        rank=rank,
        at=at,
        received_at=at,
        evse_id=1,
        id_token="04A1" if phase is Phase.STARTED else None,
        first_register_wh=None if phase is Phase.ENDED else register_wh,
        first_read_at=at if phase is Phase.UPDATED else None,
        last_register_wh=register_wh,
        stop_reason="EVDisconnected" if phase is Phase.ENDED else None,
        charging_state="Charging" if phase is Phase.UPDATED else None,
    )


STARTED = fact(Phase.STARTED, 0, 0, 1000)
UPDATED = fact(Phase.UPDATED, 1, 30, 3500)
ENDED = fact(Phase.ENDED, RANK_OF_STOP, 60, 6000)


def folded(*facts: TransactionFact, max_power_w: float | None = 22_000) -> ChargingTransaction:
    row = fold(facts, max_power_w=max_power_w)
    assert row is not None
    return row


def test_nothing_heard_is_no_charging_transaction() -> None:
    assert fold([]) is None


def test_a_start_opens_and_an_end_closes_with_stop_minus_start() -> None:
    row = folded(STARTED, UPDATED, ENDED)
    assert row == ChargingTransaction(
        evse_id=1,
        state=State.ENDED,
        started_at=START,
        started_received_at=START,
        stopped_at=START + timedelta(hours=1),
        stopped_received_at=START + timedelta(hours=1),
        id_token="04A1",
        charging_state="Charging",
        stop_reason="EVDisconnected",
        meter_start_wh=1000,
        meter_stop_wh=6000,
        meter_last_wh=6000,
        measured_wh=5000,
        energy_wh=5000,
        review=None,
        start_told=True,
        stop_register_told=True,
        start_rank=0,
        last_rank=RANK_OF_STOP,
        token_rank=0,
        state_rank=1,
    )


def test_an_open_charging_transaction_has_a_last_reading_but_no_energy_yet() -> None:
    row = folded(STARTED, UPDATED)
    assert (row.state, row.meter_last_wh, row.meter_stop_wh, row.energy_wh) == (State.OPEN, 3500, None, None)


@given(st.permutations([STARTED, UPDATED, fact(Phase.UPDATED, 2, 45, 4000), ENDED]))
def test_the_order_of_arrival_changes_nothing(facts: list[TransactionFact]) -> None:
    assert folded(*facts) == folded(STARTED, UPDATED, fact(Phase.UPDATED, 2, 45, 4000), ENDED)


@given(st.lists(st.sampled_from([STARTED, UPDATED, ENDED]), min_size=1, max_size=12))
def test_duplicates_change_nothing(facts: list[TransactionFact]) -> None:
    once = sorted(set(facts), key=lambda one: one.rank)
    assert folded(*facts) == folded(*once)


def test_an_unknown_stop_is_reconstructed_for_review_without_energy() -> None:
    row = folded(ENDED)
    assert (row.state, row.meter_start_wh, row.meter_stop_wh, row.energy_wh) == (
        State.ENDED,
        None,
        6000,
        None,
    )
    assert row.review == "start_missing,no_readings"


def test_a_late_start_completes_a_reconstructed_row() -> None:
    row = apply(folded(ENDED), STARTED, max_power_w=22_000)
    assert (row.state, row.energy_wh, row.review, row.id_token) == (State.ENDED, 5000, None, "04A1")


def test_a_meter_value_after_the_end_never_reopens_nor_moves_the_final_register() -> None:
    late = fact(Phase.UPDATED, 7, 90, 9000)
    row = apply(folded(STARTED, ENDED), late, max_power_w=22_000)
    assert (row.state, row.meter_stop_wh, row.energy_wh) == (State.ENDED, 6000, 5000)


def test_an_end_without_register_uses_the_last_reading_and_says_so() -> None:
    row = folded(STARTED, UPDATED, replace(ENDED, last_register_wh=None))
    assert (row.meter_stop_wh, row.energy_wh, row.review) == (3500, 2500, "no_stop_reading")


def test_one_reading_of_the_counter_gives_no_energy() -> None:
    row = folded(STARTED, replace(ENDED, last_register_wh=None))
    assert (row.meter_stop_wh, row.energy_wh, row.review) == (None, None, "no_stop_reading,no_readings")


def test_a_start_without_register_gives_no_energy_from_the_lifetime_counter() -> None:
    """The 7 783 kWh bill: meterStart missing, meterStop the counter of a whole life."""
    row = folded(
        replace(STARTED, first_register_wh=None, last_register_wh=None),
        fact(Phase.ENDED, RANK_OF_STOP, 60, 7_783_000),
    )
    assert (row.energy_wh, row.review) == (None, "no_start_reading,no_readings")


UNREAD = replace(STARTED, first_register_wh=None, last_register_wh=None)


def test_a_first_reading_that_came_late_gives_no_energy_as_a_missing_one() -> None:
    """A quarter of an hour at the start that nobody counted: two readings, but not of the whole charge."""
    row = folded(UNREAD, fact(Phase.UPDATED, 1, 15, 2500), ENDED)
    assert (row.meter_start_wh, row.energy_wh, row.review) == (2500, None, "no_start_reading,no_readings")


def test_a_first_reading_within_a_minute_is_the_one_of_the_start() -> None:
    row = folded(UNREAD, fact(Phase.UPDATED, 1, 1, 1050), ENDED)
    assert (row.energy_wh, row.review) == (4950, None)


def test_a_reading_that_calls_itself_the_one_of_the_start_may_come_at_any_time() -> None:
    begun = replace(fact(Phase.UPDATED, 3, 45, 1000), first_read_at=None, last_register_wh=None)
    row = folded(UNREAD, UPDATED, begun, ENDED)
    assert (row.meter_start_wh, row.energy_wh, row.review) == (1000, 5000, None)
    assert folded(ENDED, begun, UPDATED, UNREAD) == row


def test_a_charge_whose_start_was_lost_is_counted_from_its_first_reading_for_review() -> None:
    row = folded(UPDATED, ENDED)
    assert (row.energy_wh, row.review) == (2500, "start_missing")


def test_a_counter_that_went_back_is_held_for_review() -> None:
    row = folded(STARTED, fact(Phase.ENDED, RANK_OF_STOP, 60, 400))
    assert (row.energy_wh, row.review) == (None, "counter_went_back")


def test_more_energy_than_power_times_time_is_held_for_review() -> None:
    row = folded(STARTED, fact(Phase.ENDED, RANK_OF_STOP, 60, 1000 + 24_301))
    assert (row.energy_wh, row.review) == (24_301, "implausible_energy")
    assert folded(STARTED, fact(Phase.ENDED, RANK_OF_STOP, 60, 1000 + 24_300)).review is None


def test_an_offline_replay_is_judged_by_the_time_of_the_station() -> None:
    received = START + timedelta(days=1)
    row = folded(replace(STARTED, received_at=received), replace(ENDED, received_at=received))
    assert (row.energy_wh, row.review) == (5000, None)


def test_the_place_may_be_told_later() -> None:
    row = folded(replace(STARTED, evse_id=None), replace(UPDATED, evse_id=2, connector_id=1), ENDED)
    assert row.evse_id == 2


PRESUMED = PresumedEnd(ground=Ground.IDLE, at=UPDATED.at)


def presumed() -> ChargingTransaction:
    return decide(folded(STARTED, UPDATED), PRESUMED, max_power_w=22_000)


def test_a_presumed_end_stands_at_the_last_reading_and_says_so() -> None:
    row = presumed()
    assert (row.state, row.stopped_at, row.stop_reason) == (State.ENDED, UPDATED.at, "Presumed idle")
    assert (row.meter_stop_wh, row.energy_wh, row.review) == (3500, 2500, "presumed_end,no_stop_reading")


def test_a_late_stop_replaces_a_presumed_end_and_leaves_no_trace() -> None:
    assert apply(presumed(), ENDED, max_power_w=22_000) == folded(STARTED, UPDATED, ENDED)


def test_a_later_reading_withdraws_a_presumed_end() -> None:
    later = fact(Phase.UPDATED, 2, 45, 4000)
    assert apply(presumed(), later, max_power_w=22_000) == folded(STARTED, UPDATED, later)


def test_a_fact_from_before_it_leaves_a_presumed_end_alone() -> None:
    row = apply(decide(folded(UPDATED), PRESUMED, max_power_w=22_000), STARTED, max_power_w=22_000)
    assert row == presumed()


def test_an_end_that_was_told_is_not_presumed() -> None:
    row = folded(STARTED, ENDED)
    assert decide(row, PRESUMED, max_power_w=22_000) == row


def test_what_a_person_settled_counts_whatever_the_registers_say() -> None:
    settled = Settlement(how=SettledHow.ENTERED, energy_wh=2700)
    row = decide(presumed(), settled, max_power_w=22_000)
    assert (row.energy_wh, row.measured_wh, row.review) == (2700, 2500, None)


@pytest.mark.parametrize("late", [ENDED, fact(Phase.UPDATED, 2, 45, 4000)], ids=["stop", "reading"])
def test_a_late_fact_is_shown_and_does_not_touch_what_was_settled(late: TransactionFact) -> None:
    settled = Settlement(how=SettledHow.NONE, energy_wh=None)
    row = apply(decide(presumed(), settled, max_power_w=22_000), late, max_power_w=22_000)
    assert (row.energy_wh, row.settled, row.review) == (None, "none", "changed_since_settled")


def test_the_same_energy_told_late_is_no_change() -> None:
    settled = decide(presumed(), Settlement(how=SettledHow.ACCEPTED, energy_wh=2500), max_power_w=22_000)
    row = apply(settled, replace(ENDED, last_register_wh=3500), max_power_w=22_000)
    assert (row.energy_wh, row.stop_reason, row.review) == (2500, "EVDisconnected", None)
