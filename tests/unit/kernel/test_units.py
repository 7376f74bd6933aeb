from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervision.kernel.units import amperes, floor_tenth, watts


@pytest.mark.parametrize(
    ("current_a", "phases", "power_w"),
    [(32, 3, 22080), (32, 1, 7360), (16, 3, 11040), (0, 3, 0), (8.5, 1, 1955)],
)
def test_power_follows_current_and_phases(current_a: float, phases: int, power_w: int) -> None:
    assert watts(current_a, phases) == power_w
    assert amperes(power_w, phases) == pytest.approx(current_a)


@pytest.mark.parametrize(
    ("value", "floored"),
    [(6.25, 6.2), (6.3, 6.3), (31.999, 31.9), (0.0, 0.0), (0.1 + 0.2, 0.3), (15.0, 15.0)],
)
def test_limit_is_rounded_down_to_a_tenth(value: float, floored: float) -> None:
    assert floor_tenth(value) == floored


@given(st.floats(0, 500))
def test_rounded_limit_never_exceeds_the_limit(value: float) -> None:
    assert floor_tenth(value) <= value + 1e-6
    assert value - floor_tenth(value) < 0.1 + 1e-6
