"""What the pages about stations are drawn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from supervision.accounts.model import Community, Person
from supervision.booking.model import Calendar
from supervision.fleet.model import Station, Vehicle
from supervision.web.views.plans import StoredPlan
from supervision.web.views.power import Sample


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Everything known about one station at one instant."""

    station: Station
    community: Community
    vehicles: Sequence[Vehicle]
    people: Mapping[str, Person]
    devices: Sequence[Mapping[str, Any]]
    calendar: Calendar
    plan: StoredPlan | None
    profiles: Sequence[Mapping[str, Any]]
    samples: Mapping[tuple[str, int], Sequence[Sample]]
    soc: Mapping[str, float]
    ledger: Mapping[str, Sequence[tuple[datetime, int]]]
    now: datetime

    @property
    def zone(self) -> ZoneInfo:
        """The community's clock."""
        return self.community.zone

    @property
    def evses(self) -> dict[str, Mapping[str, Any]]:
        """EVSE documents by ``STATION/EVSE``, with whether their charging station is connected."""
        return {
            f"{device['identity']}/{evse['id']}": {**evse, "connected": device["connected"]}
            for device in self.devices
            for evse in device["evses"]
        }
