"""Room on the site is made before it is taken."""

from __future__ import annotations

from datetime import timedelta

from supervision.charging.composite import Profile
from supervision.charging.turns import Place, Proposal, in_turn
from tests.factories import NOW

LIMIT_A = (20.0, 20.0, 20.0)


def profile(*steps: tuple[int, float]) -> Profile:
    """Return a plan of (seconds from NOW, amperes)."""
    periods = tuple((at_s, current_a, 3) for at_s, current_a in steps)
    return Profile(
        evse_id=1,
        purpose="TxDefaultProfile",
        stack_level=3,
        kind="Absolute",
        unit="A",
        periods=periods,
        start=NOW,
    )


def place(
    name: str, *held: tuple[int, float], counts: bool = True, phases: tuple[int, ...] = (1, 2, 3)
) -> Place:
    profiles = {"plan": profile(*held)} if held else {}
    return Place(id=name, phases=phases, max_a=32, counts=counts, held=profiles)


def wanted(number: int, name: str, *steps: tuple[int, float]) -> Proposal:
    return Proposal(id=number, place=name, use="plan", profile=profile(*steps))


def turn(proposals: list[Proposal], places: list[Place]) -> list[int]:
    return in_turn(proposals, places, limit_a=LIMIT_A, voltage_v=230, now=NOW)


def test_rise_waits_until_the_fall_beside_it_is_accepted() -> None:
    swap = [wanted(1, "a", (0, 20)), wanted(2, "b", (0, 0))]
    assert turn(swap, [place("a", (0, 0)), place("b", (0, 20))]) == [2]
    assert turn(swap[:1], [place("a", (0, 0)), place("b", (0, 0))]) == [1]


def test_falls_of_several_stations_go_together() -> None:
    falls = [wanted(1, "a", (0, 5)), wanted(2, "b", (0, 5))]
    assert turn(falls, [place("a", (0, 10)), place("b", (0, 10))]) == [1, 2]


def test_rise_in_the_future_counts_too() -> None:
    later = [wanted(1, "a", (0, 0), (3600, 20)), wanted(2, "b", (0, 20), (3600, 0))]
    assert turn(later[:1], [place("a", (0, 0)), place("b", (0, 0), (7200, 20))]) == [1]
    # Two that swap their hours: the one that leaves room soonest goes first.
    assert turn(later, [place("a", (0, 20), (3600, 0)), place("b", (0, 0), (3600, 20))]) == [1]


def test_rises_that_share_the_room_left_go_together_and_no_more() -> None:
    rises = [wanted(1, "a", (0, 10)), wanted(2, "b", (0, 10)), wanted(3, "c", (0, 6))]
    places = [place("a", (0, 0)), place("b", (0, 0)), place("c", (0, 0))]
    assert turn(rises, places) == [3, 1]


def test_charging_without_any_profile_counts_as_full_current() -> None:
    first = [wanted(1, "a", (0, 10)), wanted(2, "b", (0, 10))]
    assert turn(first, [place("a"), place("b", counts=False)]) == [1]
    assert turn(first, [place("a", counts=False), place("b", counts=False)]) == [1, 2]


def test_station_away_and_idle_takes_no_room() -> None:
    places = [place("a", (0, 0)), place("b", (0, 20), counts=False)]
    assert turn([wanted(1, "a", (0, 20))], places) == [1]


def test_only_shared_phases_matter() -> None:
    places = [place("a", (0, 0), phases=(1,)), place("b", (0, 20), phases=(2,))]
    assert turn([wanted(1, "a", (0, 20))], places) == [1]


def test_limits_in_tenths_that_add_up_fit() -> None:
    thirds = [wanted(1, "a", (0, 6.7)), wanted(2, "b", (0, 6.7)), wanted(3, "c", (0, 6.6))]
    places = [place(name, (0, 0)) for name in "abc"]
    assert turn(thirds, places) == [3, 1, 2]


def test_a_day_ahead_is_enough() -> None:
    beyond = int(timedelta(hours=30).total_seconds())
    places = [place("a", (0, 0)), place("b", (0, 0), (beyond, 20))]
    assert turn([wanted(1, "a", (0, 20))], places) == [1]


def test_rise_ahead_waits_for_a_fall_less_than_ten_seconds_before_it() -> None:
    rise = [wanted(1, "a", (0, 0), (600, 20))]
    assert turn(rise, [place("a", (0, 0)), place("b", (0, 20), (591, 0))]) == []
    assert turn(rise, [place("a", (0, 0)), place("b", (0, 20), (590, 0))]) == [1]


def test_rise_at_once_waits_for_a_fall_that_a_slow_clock_has_not_seen_yet() -> None:
    begun = [profile((0, 20), (300, 0)), profile((0, 20), (291, 0)), profile((0, 20), (290, 0))]
    now = NOW + timedelta(seconds=300)
    rise = Proposal(id=1, place="a", use="plan", profile=profile((0, 20)))
    answers = [
        in_turn(
            [rise],
            [place("a", (0, 0)), Place(id="b", phases=(1, 2, 3), max_a=32, counts=True, held={"plan": held})],
            limit_a=LIMIT_A,
            voltage_v=230,
            now=now,
        )
        for held in begun
    ]
    assert answers == [[], [], [1]]
