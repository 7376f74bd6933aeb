"""The balance of a battery: movements, anchors, and what is not believed."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from supervision.charging import ledger
from supervision.charging.ledger import Battery, EnergyState, Observation
from tests.unit.charging.cases import at

ZOE = Battery(capacity_wh=52_000, wh_per_km=165, efficiency=0.9)


def state(stored_wh: int = 20_000, uncertainty_wh: int = 1_000) -> EnergyState:
    return EnergyState(stored_wh=stored_wh, uncertainty_wh=uncertainty_wh, as_of=at("18:00"), source="driven")


def test_charging_adds_the_meter_less_the_losses() -> None:
    assert ledger.charged(state(), ZOE, meter_wh=10_000, at=at("19:00")) == EnergyState(
        stored_wh=29_000, uncertainty_wh=1_036, as_of=at("19:00"), source="charged"
    )


def test_a_trip_subtracts_its_kilometres_and_doubt_grows() -> None:
    assert ledger.driven(state(), ZOE, km=40, at=at("20:00")) == EnergyState(
        stored_wh=13_400, uncertainty_wh=1_656, as_of=at("20:00"), source="driven"
    )


def test_a_trip_of_guessed_kilometres_leaves_more_doubt() -> None:
    read = ledger.driven(state(), ZOE, km=40, at=at("20:00"))
    guessed = ledger.driven(state(), ZOE, km=40, at=at("20:00"), estimated=True)
    assert (guessed.stored_wh, guessed.uncertainty_wh) == (read.stored_wh, 4_084)


def test_a_car_nobody_knows_is_half_full_give_or_take_the_other_half() -> None:
    assert ledger.unknown(ZOE, at=at("18:00")) == EnergyState(
        stored_wh=26_000, uncertainty_wh=26_000, as_of=at("18:00"), source="unknown"
    )


def test_a_full_car_squares_the_books() -> None:
    assert ledger.full(state(49_000, 2_000), ZOE, at=at("21:00")) == EnergyState(
        stored_wh=52_000, uncertainty_wh=1_040, as_of=at("21:00"), source="full"
    )


def test_a_car_that_cannot_be_full_is_not_believed() -> None:
    assert ledger.full(state(20_000, 1_000), ZOE, at=at("21:00")) is None


def test_a_car_nobody_knows_is_believed_when_it_stops() -> None:
    anchored = ledger.full(ledger.unknown(ZOE, at=at("18:00")), ZOE, at=at("21:00"))
    assert anchored is not None
    assert anchored.stored_wh == 52_000


def test_an_entry_and_a_report_replace_the_balance() -> None:
    assert ledger.entered(ZOE, percent=40, at=at("21:00")).stored_wh == 20_800
    assert ledger.reported(ZOE, percent=81.5, at=at("21:00")) == EnergyState(
        stored_wh=42_380, uncertainty_wh=1_040, as_of=at("21:00"), source="reported"
    )


def look(minutes: int, *, suspended: bool = True, offered_a: float = 16, power_w: float = 20) -> Observation:
    return Observation(
        at=at("18:00") + timedelta(minutes=minutes),
        suspended_by_car=suspended,
        offered_a=offered_a,
        power_w=power_w,
    )


def test_ten_minutes_of_refusing_an_offer_is_a_stop() -> None:
    seen = [look(0, suspended=False, power_w=7_000), look(5), look(10), look(15)]
    assert ledger.stopped_by_itself(seen, min_a=8) == at("18:05")


def test_nine_minutes_are_not_yet_a_stop() -> None:
    assert ledger.stopped_by_itself([look(0), look(9)], min_a=8) is None


def test_a_car_below_its_minimum_or_still_drawing_has_not_stopped() -> None:
    assert ledger.stopped_by_itself([look(0, offered_a=7.9), look(20, offered_a=7.9)], min_a=8) is None
    assert ledger.stopped_by_itself([look(0, power_w=900), look(20, power_w=900)], min_a=8) is None
    assert ledger.stopped_by_itself([], min_a=8) is None


def test_a_break_starts_the_ten_minutes_again() -> None:
    seen = [look(0), look(8), look(9, suspended=False, power_w=3_000), look(10), look(19)]
    assert ledger.stopped_by_itself(seen, min_a=8) is None


@given(
    stored=st.integers(0, 52_000),
    moves=st.lists(st.tuples(st.sampled_from(["charge", "drive"]), st.integers(0, 60_000)), max_size=8),
)
def test_the_balance_stays_inside_the_battery(stored: int, moves: list[tuple[str, int]]) -> None:
    now = state(stored)
    for kind, amount in moves:
        before = now.uncertainty_wh
        if kind == "charge":
            now = ledger.charged(now, ZOE, meter_wh=amount, at=at("19:00"))
        else:
            now = ledger.driven(now, ZOE, km=amount / 100, at=at("19:00"))
        assert 0 <= now.stored_wh <= 52_000
        assert before <= now.uncertainty_wh <= 52_000
