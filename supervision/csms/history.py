"""What the meters said over time, for drawings: power per EVSE, as steps."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

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
    values = meter_values
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
        select(values.c.charging_station, values.c.evse_id, values.c.at, values.c.power_w)
        .where(
            values.c.organisation_id == organisation_id,
            values.c.charging_station.in_(identities),
            values.c.power_w.is_not(None),
            values.c.at >= span.start,
            values.c.at < span.end,
        )
        .order_by(values.c.at, values.c.id)
    )
    steps: dict[Place, list[PowerStep]] = defaultdict(list)
    for row in rows:
        place = (row["charging_station"], row["evse_id"])
        steps[place].append(PowerStep(row["at"], row["power_w"]))
    return dict(steps)
