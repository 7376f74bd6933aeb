"""The alert inbox: open alerts with names for ids, and what the plan itself warns of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from supervision.accounts import store as accounts
from supervision.accounts.model import Person
from supervision.booking.model import BookingStatus
from supervision.fleet.model import Vehicle
from supervision.kernel.timespan import parse_instant
from supervision.notify.alerts import Alert as StoredAlert
from supervision.services import Services
from supervision.web.views.lanes import why_key
from supervision.web.views.scene import Scene
from supervision.web.views.supervision_model import Alert, AlertAction, Severity

SEVERITIES: Mapping[str, Severity] = {"high": "high", "medium": "medium"}


async def alerts_of(
    services: Services, organisation_id: str, scenes: Sequence[Scene], *, now: datetime
) -> list[Alert]:
    """Open alerts of an organisation, gravest first, then departures the plan cannot meet."""
    async with services.db.read(organisation_id) as reader:
        stored = await services.alerts.open_alerts(reader, organisation_id)
        people = {person.id: person for person in await accounts.people_of(reader, organisation_id)}
    told = _Teller(scenes, people, now)
    return [*(told.alert(one) for one in stored), *told.at_risk()]


class _Teller:
    """Knows the names behind the ids of alerts."""

    def __init__(self, scenes: Sequence[Scene], people: Mapping[str, Person], now: datetime) -> None:
        self._scenes = {scene.station.id: scene for scene in scenes}
        self._people = people
        self._vehicles: dict[str, Vehicle] = {
            vehicle.id: vehicle for scene in scenes for vehicle in scene.vehicles
        }
        self._now = now

    def alert(self, stored: StoredAlert) -> Alert:
        """Return a stored alert with names."""
        scene = self._scenes.get(stored.station_id or "")
        taken = self._people.get(stored.acknowledged_by or "")
        return Alert(
            id=str(stored.id),
            severity=SEVERITIES.get(stored.severity, "low"),
            code=stored.kind,
            params=self._params(stored),
            station=scene.station.name if scene else "",
            since=stored.opened_at.astimezone(scene.zone) if scene else stored.opened_at,
            actions=tuple(self._actions(stored)),
            taken_by=taken.name if taken else "",
            organisation=stored.organisation_id,
        )

    def _params(self, stored: StoredAlert) -> dict[str, Any]:
        params = dict(stored.params)
        vehicle, driver = self._vehicles.get(params.get("vehicle", "")), self._driver(stored)
        params |= {"vehicle": vehicle.name} if vehicle else {}
        params |= {"driver": driver.name} if driver else {}
        if stored.kind == "late" and "end_at" in params:
            late = self._now - parse_instant(params["end_at"])
            params["late_min"] = max(0, int(late.total_seconds() // 60))
            params["next_at"] = self._next_start(stored)
        return params

    def _driver(self, stored: StoredAlert) -> Person | None:
        return self._people.get(str(stored.params.get("driver", "")))

    def _next_start(self, stored: StoredAlert) -> datetime | None:
        scene = self._scenes.get(stored.station_id or "")
        starts = [
            booking.start_at.astimezone(scene.zone)
            for booking in (scene.calendar.bookings if scene else ())
            if scene
            and booking.vehicle_id == stored.params.get("vehicle")
            and booking.status is BookingStatus.BOOKED
        ]
        return min(starts, default=None)

    def _actions(self, stored: StoredAlert) -> Iterator[AlertAction]:
        driver, params = self._driver(stored), stored.params
        if stored.kind == "late" and driver and driver.phone:
            yield AlertAction(
                label="call", href=f"tel:{driver.phone}", params={"name": driver.name}, primary=True
            )
        if "booking" in params:
            yield AlertAction(label="booking", href=f"/bookings/{quote(str(params['booking']))}")
        if "charging_station" in params:
            page = f"/charging-stations/{quote(str(params['charging_station']))}"
            yield AlertAction(label="messages", href=f"{page}#frames")
            yield AlertAction(label="reset", href=f"{page}#commands")

    def at_risk(self) -> Iterator[Alert]:
        """Departures in the next hours the plan falls short of."""
        for scene in self._scenes.values():
            for window in scene.plan.windows if scene.plan else ():
                departure = window.booking_start
                vehicle = self._vehicles.get(window.car)
                if vehicle is None or departure is None or window.shortfall_wh <= 0 or departure < self._now:
                    continue
                key = why_key(scene.station.id, window)
                yield Alert(
                    id=f"risk-{scene.station.id}-{window.index}",
                    severity="medium",
                    code="at_risk",
                    params={
                        "vehicle": vehicle.name,
                        "shortfall_wh": window.shortfall_wh,
                        "departure_at": departure.astimezone(scene.zone),
                    },
                    station=scene.station.name,
                    since=None,
                    actions=(AlertAction(label="plan", href=f"/supervision?why={quote(key)}#why-title"),),
                )
