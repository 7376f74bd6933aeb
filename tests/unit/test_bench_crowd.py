"""What the benches count with."""

from __future__ import annotations

import pytest

from bench.crowd import due_by, quantile


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([], 0.99, 0.0),
        ([7.0], 0.5, 7.0),
        ([4.0, 1.0, 3.0, 2.0], 0.5, 2.0),
        ([float(number) for number in range(1, 101)], 0.99, 99.0),
        ([float(number) for number in range(1, 1001)], 0.99, 990.0),
        ([1.0] * 98 + [9.0, 9.0], 0.99, 9.0),
    ],
)
def test_a_quantile_is_a_value_that_was_measured(values: list[float], share: float, expected: float) -> None:
    assert quantile(values, share) == expected


def test_messages_fall_due_at_a_steady_rate() -> None:
    assert [due_by(elapsed, 4) for elapsed in (0.0, 0.2, 0.25, 1.0)] == [1, 1, 2, 5]
