"""What energy is proposed for a charge that a person must settle."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from supervision.csms.machine import ChargingTransaction, State
from supervision.csms.metering import Seen
from supervision.csms.proposing import Basis, Proposal, RegisterReading, propose, seen_of

START = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
SOUND = ChargingTransaction(
    state=State.ENDED,
    started_at=START,
    started_received_at=START,
    stopped_at=START + timedelta(hours=2),
    meter_start_wh=1000,
    meter_stop_wh=7000,
    meter_last_wh=7000,
    measured_wh=6000,
    start_told=True,
    stop_register_told=True,
)
NO_START = replace(SOUND, meter_start_wh=None, measured_wh=None)
NO_STOP = replace(NO_START, meter_stop_wh=None, stop_register_told=False)


def read(*registers_wh: int, power_w: int | None = None) -> list[RegisterReading]:
    """One reading each ten minutes."""
    return [
        RegisterReading(at=START + timedelta(minutes=10 * number), register_wh=wh, power_w=power_w)
        for number, wh in enumerate(registers_wh)
    ]


@pytest.mark.parametrize(
    ("row", "readings", "proposal"),
    [
        pytest.param(SOUND, [], (6000, Basis.REGISTERS), id="start and stop"),
        pytest.param(SOUND, read(2000, 5000), (6000, Basis.REGISTERS), id="readings change nothing"),
        pytest.param(NO_START, read(1200, 4000), (5800, Basis.READINGS), id="first reading to stop"),
        pytest.param(NO_STOP, read(1200, 4000), (2800, Basis.READINGS), id="first reading to last"),
        pytest.param(NO_STOP, read(1200), None, id="one reading"),
        pytest.param(NO_START, [], None, id="the stop alone"),
        pytest.param(NO_START, read(7000), (0, Basis.READINGS), id="nothing flowed"),
        pytest.param(
            SOUND, read(5000, 200, 2200), (10_800, Basis.PIECES), id="it began anew: 4000+2000+4800"
        ),
        pytest.param(
            SOUND, read(5000, 4900), (6000, Basis.REGISTERS), id="fell by the rounding of the meter"
        ),
        pytest.param(SOUND, read(950), (6000, Basis.REGISTERS), id="fell by it at the beginning"),
        pytest.param(
            replace(SOUND, meter_stop_wh=950, measured_wh=None),
            [],
            (0, Basis.PIECES),
            id="ends below its start",
        ),
        pytest.param(
            replace(SOUND, meter_stop_wh=1006, measured_wh=6),
            read(1001, 1002, power_w=3000),
            (6000, Basis.UNIT),
            id="kWh labelled Wh",
        ),
        pytest.param(
            replace(SOUND, stop_register_told=False, measured_wh=None),
            read(2000, 5000),
            (4000, Basis.READINGS),
            id="a stop register that was not told",
        ),
    ],
)
def test_the_best_estimate_is_proposed_with_what_it_rests_on(
    row: ChargingTransaction, readings: list[RegisterReading], proposal: tuple[int, Basis] | None
) -> None:
    expected = None if proposal is None else Proposal(energy_wh=proposal[0], basis=proposal[1])
    assert propose(row, readings, max_power_w=None) == expected


@pytest.mark.parametrize(("stop_wh", "proposed_wh"), [(45_100, 44_100), (45_101, None)])
def test_never_more_than_the_evse_delivers_in_the_time(stop_wh: int, proposed_wh: int | None) -> None:
    """Two hours of 20 kW and a tenth, and 100 Wh."""
    row = replace(SOUND, meter_stop_wh=stop_wh, measured_wh=stop_wh - 1000)
    found = propose(row, [], max_power_w=20_000)
    assert (None if found is None else found.energy_wh) == proposed_wh


def test_readings_are_summed_up_like_the_samples_they_were() -> None:
    assert seen_of([]) == Seen()
    assert seen_of([*read(1000, 900), *read(799, power_w=2000), *read(0, power_w=4000)]) == Seen(
        drops=2, powers=2, average_w=3000.0
    )
