"""The signature view: bookings, buffers, charging windows, power and state of charge on one time axis (C9).

Pure: a model in, geometry out. Horizontal places are per cent of the drawing's width and vertical ones are
pixels, so one drawing stays sharp and readable at every width; only curves live in a stretched box of
``CURVE_WIDTH`` x ``CURVE_HEIGHT`` units. The template `timeline.svg.html` turns the geometry into SVG.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import pairwise
from typing import Generic, Literal, Protocol, TypeVar
from zoneinfo import ZoneInfo

from supervision.kernel.timespan import Timespan, local_instant

CURVE_WIDTH = 1000
CURVE_HEIGHT = 100
MIN_WIDTH = 0.4  # per cent: the shortest thing stays visible and can be hit
HEADROOM = 1.15  # the power chart is this much taller than its limit, so that an excess shows


@dataclass(frozen=True, kw_only=True)
class BookingBar:
    """A hold on a vehicle; `buffer_until` ends the time nobody else may book (C38)."""

    id: str
    span: Timespan
    label: str
    kind: Literal["driver", "staff", "late", "block"] = "driver"
    buffer_until: datetime | None = None
    href: str = ""


@dataclass(frozen=True, kw_only=True)
class WindowBar:
    """A stretch of charging, planned or seen by the meter."""

    id: str
    span: Timespan
    kind: Literal["planned", "measured"]
    energy_wh: int
    power_w: int
    href: str = ""


@dataclass(frozen=True, kw_only=True)
class SocPoint:
    """State of charge at an instant, 0 to 100."""

    at: datetime
    percent: float


@dataclass(frozen=True, kw_only=True)
class PowerStep:
    """Constant power over an interval."""

    span: Timespan
    power_w: int


@dataclass(frozen=True, kw_only=True)
class Lane:
    """Everything drawn in one vehicle's row."""

    bookings: tuple[BookingBar, ...] = ()
    windows: tuple[WindowBar, ...] = ()
    soc_measured: tuple[SocPoint, ...] = ()
    soc_forecast: tuple[SocPoint, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SitePower:
    """Power of a station's grid connection against its limit."""

    limit_w: int
    measured: tuple[PowerStep, ...] = ()
    planned: tuple[PowerStep, ...] = ()


class _Spanned(Protocol):
    @property
    def span(self) -> Timespan: ...


Item = TypeVar("Item")
SpannedItem = TypeVar("SpannedItem", bound=_Spanned)


@dataclass(frozen=True, kw_only=True)
class Placed(Generic[Item]):
    """An item and where it stands, in per cent; `cut_left` and `cut_right` when it goes on outside."""

    item: Item
    x: float
    width: float
    cut_left: bool = False
    cut_right: bool = False


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A vertical line; `at` is local time when the hour is written above it."""

    x: float
    at: datetime
    anchor: Literal["start", "middle", "end"] = "middle"


@dataclass(frozen=True, kw_only=True)
class Axis:
    """The time axis of a card; hours nearer than `label_room` per cent to now stay unwritten."""

    span: Timespan
    zone: ZoneInfo
    now: datetime
    now_x: float | None
    ticks: tuple[Tick, ...]
    closed: tuple[Placed[Timespan], ...]
    label_room: float

    @property
    def now_local(self) -> datetime:
        """The present on the community's clock."""
        return self.now.astimezone(self.zone)


@dataclass(frozen=True, kw_only=True)
class LaneDrawing:
    """Geometry of one vehicle's row."""

    bookings: tuple[Placed[BookingBar], ...]
    buffers: tuple[Placed[Timespan], ...]
    windows: tuple[Placed[WindowBar], ...]
    soc_measured: str
    soc_forecast: str


@dataclass(frozen=True, kw_only=True)
class PowerDrawing:
    """Geometry of the power chart; `limit_y` in curve units from the top."""

    measured: str
    planned: str
    limit_y: float
    limit_w: int


def axis(
    *,
    now: datetime,
    zone: ZoneInfo,
    past_h: int,
    future_h: int,
    step_h: int,
    closed: tuple[time, time] | None,
    label_room: float = 4.5,
) -> Axis:
    """Lay out the time axis around `now`, from a whole local hour, with a tick every `step_h` hours."""
    start = _floor_hour(now.astimezone(zone) - timedelta(hours=past_h), zone)
    span = Timespan(start, start + timedelta(hours=past_h + future_h))
    return Axis(
        span=span,
        zone=zone,
        now=now,
        now_x=_per_cent(now, span) if span.contains(now) else None,
        ticks=tuple(_ticks(span, zone, step_h)),
        closed=tuple(_closed(span, zone, closed)) if closed else (),
        label_room=label_room,
    )


def draw_lane(lane: Lane, on: Axis) -> LaneDrawing:
    """Place one vehicle's bookings, buffers, windows and curves on the axis."""
    return LaneDrawing(
        bookings=tuple(_place_all(lane.bookings, on.span)),
        buffers=tuple(_buffers(lane.bookings, on.span)),
        windows=tuple(_place_all(lane.windows, on.span)),
        soc_measured=_polyline(lane.soc_measured, on.span),
        soc_forecast=_polyline(lane.soc_forecast, on.span),
    )


def draw_power(power: SitePower, on: Axis) -> PowerDrawing:
    """Draw measured power as a filled staircase, planned power as level dashes, the limit as a line."""
    highest = max([power.limit_w, *(step.power_w for step in power.measured), 1])
    top_w = highest * HEADROOM
    return PowerDrawing(
        measured=_staircase(power.measured, on.span, top_w),
        planned=_dashes(power.planned, on.span, top_w),
        limit_y=_height(power.limit_w, top_w),
        limit_w=power.limit_w,
    )


def per_cent(value: float) -> str:
    """Write a per cent for an SVG attribute, two decimals at most: 12.5 -> "12.5%"."""
    return f"{value:.2f}".rstrip("0").rstrip(".") + "%"


def _floor_hour(local: datetime, zone: ZoneInfo) -> datetime:
    return local_instant(local.date(), time(local.hour, fold=local.fold), zone)


def _per_cent(at: datetime, span: Timespan) -> float:
    return 100 * ((at - span.start) / span.duration)


def _ticks(span: Timespan, zone: ZoneInfo, step_h: int) -> Iterator[Tick]:
    at = span.start
    while at <= span.end:
        local = at.astimezone(zone)
        if local.hour % step_h == 0 and local.minute == 0:
            yield Tick(x=_per_cent(at, span), at=local, anchor=_anchor(at, span))
        at += timedelta(hours=1)


def _anchor(at: datetime, span: Timespan) -> Literal["start", "middle", "end"]:
    if at == span.start:
        return "start"
    return "end" if at == span.end else "middle"


def _closed(span: Timespan, zone: ZoneInfo, hours: tuple[time, time]) -> Iterator[Placed[Timespan]]:
    """Closing hours of every local day touched, also those that run past midnight (C25)."""
    opens_next_day = hours[1] <= hours[0]
    eve = Timespan(span.start - timedelta(days=1), span.end)
    for day in eve.local_days(zone):
        until = day + timedelta(days=1) if opens_next_day else day
        night = Timespan(local_instant(day, hours[0], zone), local_instant(until, hours[1], zone))
        if placed := _place(night, night, span):
            yield placed


def _place_all(items: Iterable[SpannedItem], span: Timespan) -> Iterator[Placed[SpannedItem]]:
    for item in items:
        if placed := _place(item, item.span, span):
            yield placed


def _place(item: Item, extent: Timespan, span: Timespan) -> Placed[Item] | None:
    shown = extent.intersection(span)
    if shown is None:
        return None
    x = _per_cent(shown.start, span)
    width = max(_per_cent(shown.end, span) - x, MIN_WIDTH)
    return Placed(
        item=item, x=x, width=width, cut_left=extent.start < span.start, cut_right=extent.end > span.end
    )


def _buffers(bookings: Iterable[BookingBar], span: Timespan) -> Iterator[Placed[Timespan]]:
    for booking in bookings:
        if booking.buffer_until is None or booking.buffer_until <= booking.span.end:
            continue
        extent = Timespan(booking.span.end, booking.buffer_until)
        if placed := _place(extent, extent, span):
            yield placed


def _polyline(points: Sequence[SocPoint], span: Timespan) -> str:
    """Points inside the axis, with the curve's true value on both edges."""
    inside = [point for point in points if span.start <= point.at <= span.end]
    edges = [_interpolated(points, edge) for edge in (span.start, span.end)]
    shown = sorted({*inside, *(edge for edge in edges if edge)}, key=lambda point: point.at)
    return " ".join(f"{_curve_x(point.at, span):.1f},{CURVE_HEIGHT - point.percent:.1f}" for point in shown)


def _interpolated(points: Sequence[SocPoint], at: datetime) -> SocPoint | None:
    for before, after in pairwise(points):
        if before.at < at < after.at:
            share = (at - before.at) / (after.at - before.at)
            return SocPoint(at=at, percent=before.percent + share * (after.percent - before.percent))
    return None


def _staircase(steps: Sequence[PowerStep], span: Timespan, top_w: float) -> str:
    """A closed area; a gap between two steps falls to zero."""
    path: list[str] = []
    for step in steps:
        shown = step.span.intersection(span)
        if shown is None or step.power_w <= 0:
            continue
        left, right = _curve_x(shown.start, span), _curve_x(shown.end, span)
        path.append(
            f"M{left:.1f} {CURVE_HEIGHT}V{_height(step.power_w, top_w):.1f}H{right:.1f}V{CURVE_HEIGHT}Z"
        )
    return "".join(path)


def _dashes(steps: Sequence[PowerStep], span: Timespan, top_w: float) -> str:
    path: list[str] = []
    for step in steps:
        shown = step.span.intersection(span)
        if shown is None or step.power_w <= 0:
            continue
        left, right = _curve_x(shown.start, span), _curve_x(shown.end, span)
        path.append(f"M{left:.1f} {_height(step.power_w, top_w):.1f}H{right:.1f}")
    return "".join(path)


def _curve_x(at: datetime, span: Timespan) -> float:
    return _per_cent(at, span) * CURVE_WIDTH / 100


def _height(power_w: int, top_w: float) -> float:
    return CURVE_HEIGHT * (1 - power_w / top_w)
