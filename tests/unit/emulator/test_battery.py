from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chargepoint_emulator.battery import Battery
from chargepoint_emulator.cars import MODELS, Car
from chargepoint_emulator.kinds import KINDS


def battery(soc: float = 40.0, **changes: float) -> Battery:
    fields = {"capacity_wh": 52_000.0, "max_a": 32.0, "min_a": 8.0, "efficiency": 0.9, **changes}
    return Battery(soc=soc, phases=3, **fields)


@pytest.mark.parametrize(
    ("soc", "offered_a", "drawn_a"),
    [
        (40, 32, 32.0),
        (40, 40, 32.0),
        (40, 8, 8.0),
        (40, 7.9, 0.0),
        (40, 0, 0.0),
        (80, 32, 32.0),
        (90, 32, 17.6),
        (90, 10, 10.0),
        (100, 32, 0.0),
    ],
)
def test_current_taken_follows_offer_taper_and_minimum(soc: float, offered_a: float, drawn_a: float) -> None:
    assert battery(soc).draw_a(offered_a) == pytest.approx(drawn_a)


def test_constant_current_gives_the_energy_of_that_current() -> None:
    after, energy_wh = battery(10).step(offered_a=16, phases=3, seconds=3600)
    assert energy_wh == pytest.approx(16 * 230 * 3)
    assert after.soc == pytest.approx(10 + 100 * 16 * 230 * 3 * 0.9 / 52_000)


def test_single_phase_socket_feeds_one_phase_of_a_three_phase_car() -> None:
    _, energy_wh = battery(10).step(offered_a=32, phases=1, seconds=3600)
    assert energy_wh == pytest.approx(32 * 230)


def test_full_battery_is_reached_at_the_time_foretold_and_takes_no_more() -> None:
    start = battery(70)
    full_s = start.seconds_until_full(offered_a=32, phases=3)
    almost, _ = start.step(offered_a=32, phases=3, seconds=full_s - 1)
    full, energy_wh = start.step(offered_a=32, phases=3, seconds=full_s + 5000)
    assert almost.soc < 100
    assert full.soc == 100
    assert energy_wh == pytest.approx(0.30 * 52_000 / 0.9)
    assert full.seconds_until_full(offered_a=32, phases=3) == math.inf


def test_offer_below_the_minimum_never_fills() -> None:
    assert battery().seconds_until_full(offered_a=6, phases=3) == math.inf
    assert battery().step(offered_a=6, phases=3, seconds=1e6) == (battery(), 0.0)


@settings(deadline=None)
@given(
    soc=st.floats(0, 99.9),
    offered_a=st.floats(8, 40),
    seconds=st.floats(1, 40_000),
    cuts=st.lists(st.floats(0, 1), max_size=8),
)
def test_many_small_steps_give_what_one_step_gives(
    soc: float, offered_a: float, seconds: float, cuts: list[float]
) -> None:
    whole, whole_wh = battery(soc).step(offered_a=offered_a, phases=3, seconds=seconds)
    part, total_wh, last = battery(soc), 0.0, 0.0
    for cut in [*sorted(cuts), 1.0]:
        part, energy_wh = part.step(offered_a=offered_a, phases=3, seconds=(cut - last) * seconds)
        total_wh, last = total_wh + energy_wh, cut
    # The last millisecond before 100 % is given at once, so cuts there may shift a few milliwatt-hours.
    assert total_wh == pytest.approx(whole_wh, abs=0.05)
    assert part.soc == pytest.approx(whole.soc, abs=1e-3)


def test_drive_uses_energy_and_stops_at_empty() -> None:
    car = Car(model="zoe-52", soc=50)
    car.drive(5200)
    assert car.soc == pytest.approx(40)
    assert car.stored_wh == pytest.approx(20_800)
    car.drive(90_000)
    assert car.soc == 0


def test_dc_socket_bypasses_the_on_board_charger() -> None:
    car = Car(model="spring-25", soc=20)
    assert car.behind(KINDS["dc11"]).draw_a(16) == 16
    assert car.behind(KINDS["dc11"]).phases_used(3) == 3
    assert car.behind(KINDS["ac22"]).phases_used(3) == 1


def test_models_cover_the_fleet_with_their_minimum_currents() -> None:
    assert {name: (one.phases, one.max_a, one.min_a) for name, one in MODELS.items()} == {
        "zoe-52": (3, 32, 8),
        "zoe-41": (3, 32, 8),
        "kangoo-45": (3, 32, 8),
        "spring-25": (1, 30, 6),
        "e208-46": (1, 32, 6),
        "r5-40": (3, 16, 6),
        "r5-52": (3, 16, 6),
    }
