"""One car's row of the timeline: its state in a word, its bookings, its charge planned and measured. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from supervision.booking.model import HOLDING, Booking, BookingStatus, Usage, VehicleBlock
from supervision.fleet.model import Vehicle
from supervision.kernel.timespan import Timespan
from supervision.web.timeline import BookingBar, Lane, PowerStep, SocPoint, WindowBar
from supervision.web.views.forecast import TripAhead, forecast
from supervision.web.views.plans import PlannedPeriod, PlannedWindow
from supervision.web.views.power import IDLE_W, stretches
from supervision.web.views.supervision_model import VehicleRow, VehicleState

SHOWN = {BookingStatus.BOOKED, BookingStatus.ACTIVE, BookingStatus.COMPLETED}
_SHORTEST = timedelta(minutes=1)
PLUGGED = {"Preparing", "SuspendedEV", "SuspendedEVSE", "Finishing", "Occupied"}


@dataclass(frozen=True, kw_only=True)
class VehicleFacts:
    """What is known about one car; `evse` is the document of its home EVSE with `connected`."""

    vehicle: Vehicle
    station_id: str
    bookings: Sequence[Booking]
    blocks: Sequence[VehicleBlock]
    names: Mapping[str, str]
    evse: Mapping[str, Any] | None
    windows: Sequence[PlannedWindow]
    measured: Sequence[PowerStep]
    soc_percent: float | None
    ledger: Sequence[tuple[datetime, int]]
    zone: ZoneInfo
    now: datetime

    @property
    def away(self) -> Booking | None:
        """The booking whose driver has the car."""
        return next((one for one in self.bookings if one.status is BookingStatus.ACTIVE), None)

    @property
    def coming(self) -> list[PlannedPeriod]:
        """Planned charging that is not over."""
        return [period for window in self.windows for period in window.periods if period.span.end > self.now]


def vehicle_row(facts: VehicleFacts, *, span: Timespan) -> VehicleRow:
    """Compose the row."""
    vehicle = facts.vehicle
    return VehicleRow(
        id=vehicle.id,
        name=vehicle.name,
        plate=vehicle.plate,
        soc_percent=facts.soc_percent,
        soc_estimated=facts.evse is None or facts.evse.get("soc_percent") is None,
        state=vehicle_state(facts),
        lane=Lane(
            bookings=(*_bookings(facts), *_blocks(facts)),
            windows=(*_measured(facts), *_planned(facts)),
            soc_measured=_soc_measured(facts),
            soc_forecast=_soc_forecast(facts, span.end),
        ),
    )


def vehicle_state(facts: VehicleFacts) -> VehicleState:
    """The one word a manager looks for first: who has it, else what its plug does."""
    if (away := facts.away) is not None:
        who = facts.names.get(away.driver_id, "")
        if away.end_at < facts.now:
            return VehicleState(kind="late", late=facts.now - away.end_at, who=who)
        return VehicleState(kind="out", until=away.end_at.astimezone(facts.zone), who=who)
    if facts.evse is None:
        return VehicleState(kind="free")
    return _plug_state(facts, facts.evse)


def _plug_state(facts: VehicleFacts, evse: Mapping[str, Any]) -> VehicleState:
    if not evse["connected"]:
        return VehicleState(kind="unreachable")
    status, power_w = evse["status"], evse["power_w"] or 0
    if status == "Faulted":
        return VehicleState(kind="faulted")
    if status == "Charging" or (status in PLUGGED and power_w > IDLE_W):
        return VehicleState(kind="charging", power_w=power_w)
    if status not in PLUGGED:
        return VehicleState(kind="unplugged" if status == "Available" else "free")
    starts = [period.span.start for period in facts.coming if period.span.start > facts.now]
    if not starts:
        return VehicleState(kind="plugged")
    return VehicleState(kind="waiting", until=min(starts).astimezone(facts.zone))


def _bookings(facts: VehicleFacts) -> Iterator[BookingBar]:
    for booking in facts.bookings:
        if booking.status in SHOWN:
            yield _booking(facts, booking)


def _booking(facts: VehicleFacts, booking: Booking) -> BookingBar:
    late = booking.status is BookingStatus.ACTIVE and booking.end_at < facts.now
    start, end = booking.start_at, facts.now if late else booking.ended_at
    staff = booking.usage is Usage.STAFF
    return BookingBar(
        id=booking.id,
        span=Timespan(min(start, booking.started_at or start), max(end, start + _SHORTEST)),
        label=facts.names.get(booking.driver_id, ""),
        kind="late" if late else "staff" if staff else "driver",
        buffer_until=booking.blocked_until if booking.status in HOLDING else None,
        href=f"/bookings/{quote(booking.id)}",
    )


def _blocks(facts: VehicleFacts) -> Iterator[BookingBar]:
    for block in facts.blocks:
        yield BookingBar(id=block.id, span=block.span, label=block.reason, kind="block")


def _planned(facts: VehicleFacts) -> Iterator[WindowBar]:
    for window in facts.windows:
        for number, periods in enumerate(window.stretches):
            if periods[-1].span.end <= facts.now:
                continue
            span = Timespan(max(periods[0].span.start, facts.now), periods[-1].span.end)
            left = sum(_energy_after(period, facts.now) for period in periods)
            key = why_key(facts.station_id, window)
            yield WindowBar(
                id=f"{key}~{number}",
                span=span,
                kind="planned",
                energy_wh=round(left),
                power_w=round(left * 3600 / span.seconds),
                href=f"/supervision?why={quote(key)}",
            )


def _energy_after(period: PlannedPeriod, now: datetime) -> float:
    start = max(period.span.start, now)
    return period.power_w * max(0.0, (period.span.end - start).total_seconds()) / 3600


def why_key(station_id: str, window: PlannedWindow) -> str:
    """Name a window in addresses: its station, its car, its number in the plan."""
    return f"{station_id}~{window.car}~{window.index}"


def _measured(facts: VehicleFacts) -> Iterator[WindowBar]:
    for number, stretch in enumerate(stretches(facts.measured)):
        yield WindowBar(
            id=f"measured~{facts.vehicle.id}~{number}",
            span=stretch.span,
            kind="measured",
            energy_wh=stretch.energy_wh,
            power_w=stretch.mean_w,
        )


def _soc_measured(facts: VehicleFacts) -> tuple[SocPoint, ...]:
    """Balances of the ledger, and now: between two movements nothing is known, so a straight line."""
    if facts.soc_percent is None:
        return ()
    capacity = facts.vehicle.battery_wh
    past = [
        SocPoint(at=at, percent=min(100.0, 100 * stored / capacity))
        for at, stored in facts.ledger
        if at < facts.now
    ]
    return (*past, SocPoint(at=facts.now, percent=facts.soc_percent))


def _soc_forecast(facts: VehicleFacts, until: datetime) -> tuple[SocPoint, ...]:
    if facts.soc_percent is None:
        return ()
    trips = [
        TripAhead(span=Timespan(max(booking.start_at, facts.now), booking.end_at), km=booking.planned_km)
        for booking in facts.bookings
        if booking.status in HOLDING and booking.end_at > facts.now
    ]
    periods = [
        PlannedPeriod(
            span=Timespan(max(period.span.start, facts.now), period.span.end),
            current_a=period.current_a,
            power_w=period.power_w,
        )
        for period in facts.coming
    ]
    return forecast(
        facts.vehicle, facts.soc_percent, now=facts.now, until=until, periods=periods, trips=trips
    )
