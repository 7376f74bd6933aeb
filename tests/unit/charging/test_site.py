"""From what is known of a place to the problem that is solved."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from supervision.charging.capabilities import (
    after_refusal,
    capabilities,
    is_probed,
    is_steerable,
    lesson,
)
from supervision.charging.capabilities import (
    question as ask,
)
from supervision.charging.forecast import expected_wh
from supervision.charging.ledger import Battery, EnergyState
from supervision.charging.model import PhaseStep
from supervision.charging.plan import solve
from supervision.charging.prices import price_steps
from supervision.charging.problem import parse_problem, render_plan, render_problem
from supervision.charging.site import (
    Site,
    SiteBooking,
    SiteCar,
    SiteEvse,
    back_at,
    full_power_w,
    horizon_of,
    outlet,
    question,
)
from supervision.kernel.timespan import Timespan, parse_instant
from tests.unit.charging.cases import DAY, at

NOW = at("18:00")
ZOE = Battery(capacity_wh=52_000, wh_per_km=165)
PARIS = ZoneInfo("Europe/Paris")


def evse(number: int = 1, **more: Any) -> SiteEvse:
    given: dict[str, Any] = {"phases": (1, 2, 3), "max_a": 32.0, "min_a": 6.0, **more}
    return SiteEvse(charging_station="CP", evse_id=number, **given)


def car(name: str = "zoe", number: int = 1, *, stored_wh: int = 20_000, **more: Any) -> SiteCar:
    state = EnergyState(stored_wh=stored_wh, uncertainty_wh=500, as_of=NOW, source="charged")
    given: dict[str, Any] = {"phases": 3, "max_a": 32.0, "min_a": 8.0, "battery": ZOE, "state": state, **more}
    return SiteCar(id=name, evse=f"CP/{number}", **given)


def site(*cars: SiteCar, evses: tuple[SiteEvse, ...] = (evse(),), limit_a: float = 40.0) -> Site:
    return Site(limit_a=(limit_a,) * 3, voltage_v=230, prices=(), evses=evses, cars=cars)


def trip(
    start: str, end: str, *, km: float | None = 50, away: bool = False, ready_at: str | None = None
) -> SiteBooking:
    return SiteBooking(
        id="b1", ready_at=at(ready_at or start), start=at(start), end=at(end), km=km, away=away
    )


def windows(place: Site) -> list[tuple[str, str, Any, Any]]:
    found = question(place, now=NOW).problem.windows
    return [(w.car, w.evse, w.plugged_from, w.plugged_until) for w in found]


def test_a_car_at_home_is_planned_from_now_to_its_booking_and_on_to_the_horizon() -> None:
    assert windows(site(car(stored_wh=40_000, bookings=(trip("20:00", "22:00"),)))) == [
        ("zoe", "CP/1", NOW, at("20:00")),
        ("zoe", "CP/1", at("22:00"), DAY + timedelta(days=3)),
    ]


def test_C44_a_car_is_ready_when_its_code_opens() -> None:
    early = car(stored_wh=40_000, bookings=(trip("20:00", "22:00", ready_at="19:45"),))
    assert windows(site(early)) == [
        ("zoe", "CP/1", NOW, at("19:45")),
        ("zoe", "CP/1", at("22:00"), DAY + timedelta(days=3)),
    ]


def test_a_car_on_the_road_is_planned_from_its_return() -> None:
    assert back_at(car(bookings=(trip("17:00", "19:00", away=True),)), now=NOW) == at("19:00")


def test_a_late_car_is_expected_in_half_an_hour() -> None:
    assert back_at(car(bookings=(trip("15:00", "17:00", away=True),)), now=NOW) == at("18:30")


def test_a_car_whose_driver_is_late_charges_until_they_come() -> None:
    first = windows(site(car(bookings=(trip("17:45", "20:00"),))))[0]
    assert first == ("zoe", "CP/1", NOW, at("18:15"))


def test_a_visitor_takes_its_standing_limit_off_the_site() -> None:
    place = site(car(), evses=(evse(1), evse(2, phases=(2,), charging=True)))
    assert question(place, now=NOW).problem.grid.base_load_w == (
        PhaseStep(start=NOW, values=(0.0, 20.0 * 230, 0.0)),
    )


def test_a_station_that_refuses_profiles_is_a_load_at_its_full_current() -> None:
    stubborn = evse(2, max_a=16.0, charging=True, steerable=False)
    place = site(car(), car("kangoo", 2), evses=(evse(1), stubborn))
    asked = question(place, now=NOW)
    assert set(asked.problem.cars) == {"zoe"}
    assert asked.problem.grid.base_load_w == (PhaseStep(start=NOW, values=(3_680.0,) * 3),)


def test_of_two_cars_with_one_home_the_first_is_planned() -> None:
    assert set(question(site(car("b"), car("a")), now=NOW).problem.cars) == {"a"}


def test_full_power_is_bounded_by_car_evse_and_site() -> None:
    assert full_power_w(site(car()), car()) == 22_080
    assert full_power_w(site(car(), limit_a=20.0), car()) == 13_800
    assert full_power_w(site(car(phases=1, max_a=16.0)), car(phases=1, max_a=16.0)) == 3_680


def test_an_outlet_stands_at_an_equal_part_of_its_busiest_phase() -> None:
    place = site(car(), evses=(evse(1), evse(2, phases=(1,)), evse(3, phases=(1,))))
    assert outlet(place, place.evses[0]).standing_a == 13.3
    assert outlet(place, place.evses[1]).standing_a == 13.3
    assert outlet(site(car(phases=1)), evse()).phases == 1
    assert outlet(site(car(), limit_a=7.0), evse()).standing_a == 0.0  # a Zoe takes nothing below 8 A


def test_the_horizon_stays_the_same_all_day() -> None:
    assert horizon_of(at("00:01")) == horizon_of(at("23:59")) == DAY + timedelta(days=3)


def test_a_problem_of_a_site_can_be_given_to_the_command() -> None:
    asked = question(
        site(car(bookings=(trip("20:00", "22:00"),)), car("b", 2), evses=(evse(1), evse(2))), now=NOW
    )
    assert parse_problem(render_problem(asked.problem)) == asked.problem


OFF_PEAK = [
    {"local_from": "23:00", "eur_per_kwh": "0.1579"},
    {"local_from": "06:00", "eur_per_kwh": "0.2065"},
]


def steps(start: str, end: str) -> list[tuple[str, str]]:
    span = Timespan(parse_instant(start), parse_instant(end))
    found = price_steps(OFF_PEAK, zone=PARIS, span=span)
    return [(f"{step.start:%d %H:%M}", str(step.eur_per_kwh)) for step in found]


def test_local_hours_become_instants_and_the_price_in_force_comes_first() -> None:
    assert steps("2026-11-21T03:00:00Z", "2026-11-22T06:00:00Z") == [
        ("20 22:00", "0.1579"),
        ("21 05:00", "0.2065"),
        ("21 22:00", "0.1579"),
        ("22 05:00", "0.2065"),
    ]


def test_the_night_of_the_clock_change_is_an_hour_longer_or_shorter() -> None:
    assert steps("2026-10-24T20:00:00Z", "2026-10-25T08:00:00Z")[1:] == [
        ("24 21:00", "0.1579"),
        ("25 05:00", "0.2065"),
    ]
    assert steps("2027-03-27T21:00:00Z", "2027-03-28T08:00:00Z")[1:] == [
        ("27 22:00", "0.1579"),
        ("28 04:00", "0.2065"),
    ]


def test_without_prices_there_are_no_steps() -> None:
    assert price_steps([], zone=PARIS, span=Timespan(NOW, at("20:00"))) == ()


def test_one_price_all_day_is_one_step() -> None:
    span = Timespan(NOW, at("+18:00"))
    found = price_steps([{"local_from": "00:00", "eur_per_kwh": "0.19"}], zone=PARIS, span=span)
    assert [step.eur_per_kwh for step in found] == [Decimal("0.19")]


def test_a_forecast_adds_the_plan_and_subtracts_the_trips() -> None:
    waiting = car(stored_wh=20_000, bookings=(trip("20:00", "22:00", km=50),))
    solved = solve(question(site(waiting), now=NOW).problem)
    plan = render_plan(solved)
    assert expected_wh(waiting, None, now=NOW, at=at("19:00")) == 20_000
    assert expected_wh(waiting, None, now=NOW, at=at("23:00")) == 20_000 - 8_250
    before = solved.windows[0].delivered_wh
    assert expected_wh(waiting, plan, now=NOW, at=at("20:00")) == 20_000 + round(before * 0.9)
    assert expected_wh(waiting, plan, now=NOW, at=horizon_of(NOW)) in range(41_590, 41_611)


def test_a_station_of_1_6_tells_its_figures_by_keys() -> None:
    action, payload = ask("1.6")
    assert (action, payload["key"][0]) == ("GetConfiguration", "ChargeProfileMaxStackLevel")
    told = lesson(
        "1.6",
        {
            "configurationKey": [
                {"key": "ChargeProfileMaxStackLevel", "readonly": True, "value": "3"},
                {"key": "ChargingScheduleAllowedChargingRateUnit", "readonly": True, "value": "Power"},
                {"key": "ChargingScheduleMaxPeriods", "readonly": True, "value": "6"},
            ]
        },
    )
    assert told == {"probed": True, "stack_level": 3, "unit": "W", "max_periods": 6}


def told_201(name: str, value: str) -> dict[str, Any]:
    return {"attributeStatus": "Accepted", "attributeValue": value, "variable": {"name": name}}


def test_a_station_of_2_0_1_tells_them_by_variables() -> None:
    action, payload = ask("2.0.1")
    assert (action, len(payload["getVariableData"])) == ("GetVariables", 5)
    told = lesson(
        "2.0.1",
        {
            "getVariableResult": [
                {
                    "attributeStatus": "Accepted",
                    "attributeValue": "2",
                    "variable": {"name": "ProfileStackLevel"},
                },
                {"attributeStatus": "Accepted", "attributeValue": "A,W", "variable": {"name": "RateUnit"}},
                {"attributeStatus": "UnknownVariable", "variable": {"name": "PeriodsPerSchedule"}},
            ]
        },
    )
    assert told == {"probed": True, "stack_level": 2, "unit": "A", "max_periods": 24}


def test_a_station_that_says_nothing_useful_gets_the_defaults() -> None:
    silent = {"probed": True, "stack_level": 1, "unit": "A", "max_periods": 24}
    assert lesson("1.6", None) == silent
    assert (
        lesson("1.6", {"configurationKey": [{"key": "ChargingScheduleMaxPeriods", "value": "many"}]})
        == silent
    )
    assert lesson("2.0.1", {}) == silent


def test_refusals_lead_down_the_ladder() -> None:
    known: dict[str, Any] = {"smart_charging": {"stack_level": 3, "probed": True}}
    learnt = []
    for _ in range(3):
        known["smart_charging"].update(after_refusal(known))
        learnt.append((capabilities("1.6", known).stack_level, is_steerable(known)))
    assert learnt == [(1, True), (0, True), (0, False)]
    assert is_probed(known)
    assert not is_probed({})
