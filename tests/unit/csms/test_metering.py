"""What the readings of a charge say about its registers: they begin anew, or are a thousand times off."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from supervision.csms.machine import ChargingTransaction, Doubt, State
from supervision.csms.metering import Seen, doubts, joined, seen_in, unit_factor
from supervision.csms.model import ENERGY_REGISTER, POWER_IMPORT, MeterSample, ReadingKind, in_order

START = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
REGISTER, POWER = ReadingKind(ENERGY_REGISTER, "Wh"), ReadingKind(POWER_IMPORT, "W")
TWO_HOURS = ChargingTransaction(
    state=State.ENDED,
    started_at=START,
    started_received_at=START,
    stopped_at=START + timedelta(hours=2),
    measured_wh=6000,
)


def sample(minute: int | None, register_wh: int | None = None, power_w: int | None = None) -> MeterSample:
    told = ((REGISTER, register_wh), (POWER, power_w))
    return MeterSample(
        at=None if minute is None else START + timedelta(minutes=minute),
        readings=tuple((kind, value * 1000) for kind, value in told if value is not None),
    )


@pytest.mark.parametrize(
    ("samples", "seen"),
    [
        ([], Seen()),
        ([sample(0, 1000)], Seen()),
        ([sample(0, 1000), sample(1, 900)], Seen()),  # the rounding of a coarse meter
        ([sample(0, 1000), sample(1, 899)], Seen(drops=1)),
        ([sample(0, 1000), sample(1), sample(2, 0), sample(3, 500), sample(4, 20)], Seen(drops=2)),
        ([sample(1, 1000), sample(0, 0)], Seen()),  # told in the wrong order
        ([sample(1, 1000), sample(None, 0)], Seen(drops=1)),  # which order is the right one nobody knows
        ([sample(0, None, 3000), sample(1), sample(2, None, 4000)], Seen(powers=2, average_w=3500.0)),
    ],
)
def test_readings_are_summed_up_as_falls_of_the_register_and_mean_power(
    samples: list[MeterSample], seen: Seen
) -> None:
    assert seen_in(samples) == seen


def test_samples_of_one_instant_stay_as_they_came() -> None:
    one, other, early = sample(5, 2), sample(5, 1), sample(0, 3)
    assert in_order([one, other, early]) == [early, one, other]
    assert in_order([one, sample(None), early]) == [one, sample(None), early]


@pytest.mark.parametrize(
    ("stored", "fresh", "both"),
    [
        (Seen(drops=1), Seen(drops=2), Seen(drops=3)),
        (Seen(powers=3, average_w=1.0), Seen(powers=2, average_w=9.0), Seen(powers=3, average_w=1.0)),
        (Seen(powers=2, average_w=1.0), Seen(powers=2, average_w=9.0), Seen(powers=2, average_w=1.0)),
        (Seen(powers=1, average_w=1.0), Seen(powers=2, average_w=9.0), Seen(powers=2, average_w=9.0)),
    ],
)
def test_the_larger_number_of_powers_decides(stored: Seen, fresh: Seen, both: Seen) -> None:
    assert joined(stored, fresh) == both


@pytest.mark.parametrize(
    ("measured_wh", "mean_w", "powers", "factor"),
    [
        (6000, 3000, 9, None),  # what the power says
        (6, 3000, 9, 1000.0),  # a counter in kWh labelled Wh
        (6_000_000, 3000, 9, 0.001),  # in Wh, labelled kWh
        (24, 3000, 9, 1000.0),
        (25, 3000, 9, None),
        (1, 2000, 9, 1000.0),
        (1, 2001, 9, None),
        (1_500_000, 3000, 9, 0.001),
        (1_499_999, 3000, 9, None),
        (24_000_000, 3000, 9, 0.001),
        (24_000_001, 3000, 9, None),
        (1, 250, 9, 1000.0),  # 500 Wh by the power
        (1, 249, 9, None),  # too little to say anything
        (6, 3000, 2, 1000.0),
        (6, 3000, 1, None),
        (0, 3000, 9, None),
        (None, 3000, 9, None),
        (6, None, 9, None),
    ],
)
def test_the_unit_is_doubted_where_the_power_says_a_thousand_times_more_or_less(
    measured_wh: int | None, mean_w: float | None, powers: int, factor: float | None
) -> None:
    """Two hours; the mean power may be four times off, because it is sampled."""
    row = replace(TWO_HOURS, measured_wh=measured_wh)
    assert unit_factor(row, Seen(powers=powers, average_w=mean_w)) == factor


SOUND = Seen(powers=9, average_w=3000.0)


@pytest.mark.parametrize(
    ("row", "seen", "named"),
    [
        (TWO_HOURS, SOUND, []),
        (TWO_HOURS, replace(SOUND, drops=1), [Doubt.COUNTER_RESET]),
        (replace(TWO_HOURS, measured_wh=6), SOUND, [Doubt.UNIT_DOUBTFUL]),
        (
            replace(TWO_HOURS, measured_wh=6),
            replace(SOUND, drops=2),
            [Doubt.COUNTER_RESET, Doubt.UNIT_DOUBTFUL],
        ),
        (replace(TWO_HOURS, state=State.OPEN), replace(SOUND, drops=1), []),
        (replace(TWO_HOURS, measured_wh=None), replace(SOUND, drops=1), []),
    ],
)
def test_only_the_energy_of_an_ended_charge_is_doubted(
    row: ChargingTransaction, seen: Seen, named: list[Doubt]
) -> None:
    assert doubts(row, seen) == named
