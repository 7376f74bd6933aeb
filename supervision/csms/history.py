"""What the meters said over time, for drawings: power per EVSE, as steps."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from supervision.csms.model import POWER_IMPORT
from supervision.kernel.timespan import Timespan
from supervision.store.db import Reader
from supervision.store.schema import charging_stations as _stations
from supervision.store.schema import evses, meter_values

Place = tuple[str, int]  # charging station, EVSE


@dataclass(frozen=True)
class PowerStep:
    """Power measured from `at` on, until the next step."""

    at: datetime
    power_w: int


async def power_steps(
    reader: Reader, organisation_id: str, station_id: str, span: Timespan
) -> dict[Place, list[PowerStep]]:
    """Return the measured total power of every EVSE at a station during `span`, oldest first."""
    readings = meter_values
    places = await reader.all(
        select(evses.c.charging_station, evses.c.evse_id)
        .join(_stations, _stations.c.identity == evses.c.charging_station)
        .where(
            evses.c.organisation_id == organisation_id,
            _stations.c.organisation_id == organisation_id,
            _stations.c.station_id == station_id,
        )
    )
    identities = {place["charging_station"] for place in places}
    rows = await reader.all(
        select(readings.c.charging_station, readings.c.evse_id, readings.c.at, readings.c.value_milli)
        .where(
            readings.c.organisation_id == organisation_id,
            readings.c.charging_station.in_(identities),
            readings.c.measurand == POWER_IMPORT,
            readings.c.phase == "",
            readings.c.at >= span.start,
            readings.c.at < span.end,
        )
        .order_by(readings.c.at, readings.c.id)
    )
    steps: dict[Place, list[PowerStep]] = defaultdict(list)
    for row in rows:
        place = (row["charging_station"], row["evse_id"])
        steps[place].append(PowerStep(row["at"], round(row["value_milli"] / 1000)))
    return dict(steps)
