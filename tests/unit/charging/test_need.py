"""Calendars and what they ask of the battery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from supervision.charging.ledger import Battery, EnergyState
from supervision.charging.need import (
    ChargingNeed,
    NeedFacts,
    PluggedCar,
    UpcomingBooking,
    estimated_km,
    needs,
)
from tests.unit.charging.cases import DAY, at

ZOE = Battery(capacity_wh=52_000, wh_per_km=165, efficiency=0.9)
HORIZON = DAY + timedelta(hours=66)


def zoe(stored_wh: int, *, back_at: str = "18:00", full_power_w: int = 22_080) -> PluggedCar:
    return PluggedCar(
        id="zoe",
        evse="e1",
        battery=ZOE,
        state=EnergyState(stored_wh=stored_wh, uncertainty_wh=900, as_of=at("18:00"), source="driven"),
        full_power_w=full_power_w,
        plugged_from=at(back_at),
    )


def booking(name: str, start: str, end: str, km: float | None = None) -> UpcomingBooking:
    return UpcomingBooking(id=name, start=at(start), end=at(end), km=km)


def outline(found: Sequence[ChargingNeed]) -> list[tuple[str, datetime, datetime, int]]:
    return [(n.facts.why, n.window.plugged_from, n.window.plugged_until, n.facts.needed_wh) for n in found]


def test_the_distance_of_a_booking_grows_with_its_hours() -> None:
    assert estimated_km(timedelta(hours=1)) == 9.0
    assert round(estimated_km(timedelta(hours=16)), 6) == 72.0


def test_a_booking_asks_for_its_trip_with_a_margin_and_the_reserve() -> None:
    first = needs(zoe(20_000), [booking("b1", "+08:00", "+12:00", km=100)], horizon=HORIZON)[0]
    assert first.facts == NeedFacts(
        why="booking",
        needed_wh=25_950,  # 1.10 x 100 km x 165 Wh + 15 % of 52 kWh
        stored_wh=20_000,
        uncertainty_wh=900,
        to_charge_wh=5_950,
        from_grid_wh=6_612,
        booking_id="b1",
        booking_start=at("+08:00"),
        km=100,
    )
    assert (first.window.plugged_from, first.window.plugged_until) == (at("18:00"), at("+08:00"))
    assert (first.window.need_wh, first.window.max_wh, first.window.priority) == (6_612, 35_555, 1)


def test_C44_charged_when_the_key_can_be_had_if_the_pause_is_long_enough() -> None:
    # 25 950 Wh are wanted; at 22 080 W x 0.9 the 5 950 Wh missing take 18 minutes.
    trip = replace(booking("b1", "18:40", "+12:00", km=100), ready_at=at("18:25"))
    assert outline(needs(zoe(20_000), [trip], horizon=HORIZON))[0] == (
        "booking",
        at("18:00"),
        at("18:25"),
        25_950,
    )
    tight = replace(booking("b1", "18:30", "+12:00", km=100), ready_at=at("18:15"))
    assert outline(needs(zoe(20_000), [tight], horizon=HORIZON))[0] == (
        "booking",
        at("18:00"),
        at("18:30"),
        25_950,
    )


def test_C44_once_the_key_can_be_had_the_car_charges_until_its_driver_comes() -> None:
    trip = replace(booking("b1", "18:10", "20:00", km=100), ready_at=at("17:55"))
    assert outline(needs(zoe(20_000), [trip], horizon=HORIZON))[0] == (
        "booking",
        at("18:00"),
        at("18:10"),
        25_950,
    )


def test_unknown_kilometres_are_estimated_and_said_so() -> None:
    facts = needs(zoe(20_000), [booking("b1", "+08:00", "+09:00")], horizon=HORIZON)[0].facts
    assert (facts.km, facts.km_estimated, facts.needed_wh) == (9.0, True, 15_600)


def test_a_short_trip_still_asks_for_the_floor() -> None:
    first = needs(zoe(16_000), [booking("b1", "+08:00", "+09:00", km=5)], horizon=HORIZON)[0]
    assert (first.facts.needed_wh, first.window.need_wh) == (15_600, 0)


def test_a_low_battery_reaches_the_floor_soon_after_the_return() -> None:
    found = needs(zoe(5_600), [booking("b1", "+08:00", "+12:00", km=100)], horizon=HORIZON)
    assert outline(found)[:2] == [
        ("floor", at("18:00"), at("19:01"), 15_600),
        ("booking", at("19:01"), at("+08:00"), 25_950),
    ]
    assert [(n.window.priority, n.facts.to_charge_wh) for n in found[:2]] == [(2, 10_000), (1, 10_350)]


def test_a_booking_before_the_floor_is_due_is_one_window() -> None:
    found = needs(zoe(5_600), [booking("b1", "18:30", "19:30", km=10)], horizon=HORIZON)
    assert outline(found)[0] == ("booking", at("18:00"), at("18:30"), 15_600)


def test_a_pause_too_short_is_charged_for_one_booking_earlier() -> None:
    """Back at 12:00, gone at 12:30: 11 kW gives 5 kWh there; the rest must be in the battery at 08:00."""
    found = needs(
        zoe(30_000, full_power_w=11_040),
        [booking("b1", "+08:00", "+12:00", km=100), booking("b2", "+12:30", "+18:00", km=150)],
        horizon=HORIZON,
    )
    assert outline(found)[:2] == [
        ("later_booking", at("18:00"), at("+08:00"), 48_207),  # 35 025 - 4 968 + 1.10 x 16 500
        ("booking", at("+12:00"), at("+12:30"), 35_025),
    ]
    assert found[0].facts.booking_id == "b1"
    assert found[1].facts.stored_wh == 48_207 - 16_500


def test_after_the_last_booking_the_battery_fills_to_the_target() -> None:
    last = needs(zoe(30_000), [booking("b1", "+08:00", "+12:00", km=20)], horizon=HORIZON)[-1]
    assert (last.facts.why, last.facts.needed_wh, last.facts.stored_wh) == ("target", 41_600, 26_700)
    assert (last.window.priority, last.window.plugged_until) == (3, HORIZON)
    assert last.facts.booking_id is None


def test_a_full_car_needs_nothing_but_still_has_its_windows() -> None:
    found = needs(zoe(52_000), [], horizon=HORIZON)
    assert [(n.window.need_wh, n.window.max_wh) for n in found] == [(0, 0)]


def test_a_car_on_the_road_is_planned_from_its_return() -> None:
    running = booking("b0", "16:00", "19:00", km=50)
    found = needs(zoe(20_000, back_at="19:00"), [running], horizon=HORIZON)
    assert outline(found) == [("target", at("19:00"), HORIZON, 41_600)]


def test_bookings_back_to_back_leave_no_window_between_them() -> None:
    found = needs(
        zoe(52_000),
        [booking("b1", "+08:00", "+10:00", km=30), booking("b2", "+10:00", "+12:00", km=30)],
        horizon=HORIZON,
    )
    assert [why for why, *_ in outline(found)] == ["later_booking", "target"]


def test_a_late_return_into_the_next_booking_plans_from_the_return() -> None:
    found = needs(zoe(30_000, back_at="19:00"), [booking("b1", "18:30", "20:00", km=30)], horizon=HORIZON)
    assert outline(found) == [("target", at("20:00"), HORIZON, 41_600)]


@st.composite
def calendars(draw: st.DrawFn) -> list[UpcomingBooking]:
    found, start = [], at("18:00")
    for index in range(draw(st.integers(0, 6))):
        start += timedelta(minutes=draw(st.integers(0, 900)))
        end = start + timedelta(minutes=draw(st.integers(30, 900)))
        km = draw(st.one_of(st.none(), st.floats(0, 400)))
        found.append(UpcomingBooking(id=f"b{index}", start=start, end=end, km=km))
        start = end
    return found


@given(stored=st.integers(0, 52_000), bookings=calendars(), power=st.sampled_from([3_680, 7_360, 22_080]))
def test_windows_lie_between_bookings_and_never_ask_for_more_than_the_battery_takes(
    stored: int, bookings: list[UpcomingBooking], power: int
) -> None:
    found = needs(zoe(stored, full_power_w=power), bookings, horizon=HORIZON)
    before = at("18:00")
    for one in found:
        window, facts = one.window, one.facts
        assert before <= window.plugged_from < window.plugged_until <= HORIZON
        before = window.plugged_until
        assert 0 <= window.need_wh <= window.max_wh
        assert 0 <= facts.stored_wh <= 52_000
        assert facts.needed_wh <= 52_000
        assert all(b.end <= window.plugged_from or window.plugged_until <= b.start for b in bookings)
