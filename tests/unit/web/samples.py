"""A believable afternoon at three stations, figures invented: view models for tests and screenshots."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from supervision.kernel.timespan import Timespan
from supervision.web.shell import Flash, Shell, Theme, Viewer
from supervision.web.timeline import (
    BookingBar,
    Lane,
    PowerStep,
    SitePower,
    SocPoint,
    WindowBar,
    axis,
)
from supervision.web.views import supervision_model as supervision

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 11, 21, 13, 24, tzinfo=UTC)  # 14:24 in Paris
CLOSED = (time(0), time(5))
WIDE = axis(now=NOW, zone=PARIS, past_h=8, future_h=16, step_h=2, closed=CLOSED)
NARROW = axis(now=NOW, zone=PARIS, past_h=3, future_h=9, step_h=2, closed=CLOSED, label_room=11)
MANAGER = Viewer(name="Camille Martin", email="camille@example.org", manages=True, drives=False)
DRIVER = Viewer(name="Dominique Roux", email="dominique@example.org", manages=False, drives=True)


def at(clock: str) -> datetime:
    """Local time of the sample day; "+" in front means the day after."""
    hour, minute = clock.removeprefix("+").split(":")
    day = datetime(2026, 11, 22 if clock.startswith("+") else 21, tzinfo=PARIS)
    return day.replace(hour=int(hour), minute=int(minute))


def span(start: str, end: str) -> Timespan:
    return Timespan(at(start), at(end))


def shell(
    path: str, viewer: Viewer | None, *, theme: Theme = "auto", flashes: tuple[Flash, ...] = ()
) -> Shell:
    return Shell(
        path=path,
        now=NOW,
        brand="Val de Drôme",
        theme=theme,
        viewer=viewer,
        csrf="sample-token",
        flashes=flashes,
    )


def booking(key: str, start: str, end: str, label: str = "", kind: str = "driver") -> BookingBar:
    extent = span(start, end)
    return BookingBar(
        id=key,
        span=extent,
        label=label,
        kind=kind,  # type: ignore[arg-type]
        buffer_until=extent.end + timedelta(minutes=30),
        href=f"/bookings/{key}",
    )


def window(key: str, start: str, end: str, power_w: int, *, kind: str = "planned") -> WindowBar:
    extent = span(start, end)
    return WindowBar(
        id=key,
        span=extent,
        kind=kind,  # type: ignore[arg-type]
        energy_wh=round(power_w * extent.seconds / 3600),
        power_w=power_w,
        href=f"/supervision?why={key}#why-title" if kind == "planned" else "",
    )


def soc(*points: tuple[str, float]) -> tuple[SocPoint, ...]:
    return tuple(SocPoint(at=at(clock), percent=percent) for clock, percent in points)


def steps(*items: tuple[str, str, int]) -> tuple[PowerStep, ...]:
    return tuple(PowerStep(span=span(start, end), power_w=power) for start, end, power in items)


ZOE = supervision.VehicleRow(
    id="zoe-1",
    name="Zoé bleue",
    plate="AB-123-CD",
    soc_percent=61,
    soc_estimated=True,
    state=supervision.VehicleState(kind="charging", power_w=7200),
    lane=Lane(
        bookings=(
            booking("b1", "07:00", "10:30", "Asso. Vélo"),
            booking("b2", "16:00", "20:00", "D. Roux"),
            booking("b9", "+04:30", "+07:00", "C. Blanc"),
        ),
        windows=(
            window("w1", "11:12", "14:24", 7200, kind="measured"),
            window("w2", "14:24", "15:36", 7200),
            window("w3", "+00:10", "+03:00", 4200),
        ),
        soc_measured=soc(("06:00", 88), ("07:00", 88), ("10:30", 31), ("11:12", 31), ("14:24", 61)),
        soc_forecast=soc(
            ("14:24", 61), ("15:36", 80), ("16:00", 80), ("20:00", 42), ("+00:10", 42), ("+03:00", 66)
        ),
    ),
)
KANGOO = supervision.VehicleRow(
    id="kangoo",
    name="Kangoo mairie",
    plate="EF-456-GH",
    soc_percent=34,
    soc_estimated=False,
    state=supervision.VehicleState(kind="out", until=at("15:00"), who="Services techniques"),
    lane=Lane(
        bookings=(
            booking("b3", "12:00", "15:00", "Services techniques", "staff"),
            booking("b4", "18:00", "19:30", "M. Petit"),
        ),
        windows=(window("w4", "15:30", "17:50", 9900), window("w5", "+01:00", "+04:20", 3700)),
        soc_measured=soc(("06:00", 82), ("12:00", 82), ("14:24", 40)),
        soc_forecast=soc(
            ("14:24", 40), ("15:00", 34), ("15:30", 34), ("17:50", 78), ("19:30", 62), ("+01:00", 62)
        ),
    ),
)
E208 = supervision.VehicleRow(
    id="e208",
    name="e-208",
    plate="IJ-789-KL",
    soc_percent=14,
    soc_estimated=True,
    state=supervision.VehicleState(kind="late", late=timedelta(minutes=22), who="Claude Fabre"),
    lane=Lane(
        bookings=(
            booking("b5", "08:00", "14:02", "C. Fabre", "late"),
            booking("b6", "14:54", "18:00", "D. Morel"),
        ),
        windows=(window("w6", "18:30", "21:00", 6900), window("w7", "+00:00", "+05:00", 2300)),
        soc_measured=soc(("06:00", 90), ("08:00", 90), ("14:24", 14)),
        soc_forecast=soc(("14:24", 14), ("18:00", 5), ("18:30", 5), ("21:00", 42)),
    ),
)
R5 = supervision.VehicleRow(
    id="r5",
    name="R5 électrique",
    plate="MN-012-OP",
    soc_percent=72,
    soc_estimated=False,
    state=supervision.VehicleState(kind="charging", power_w=11000),
    lane=Lane(
        bookings=(booking("b7", "15:00", "23:30", "Conductrice E"),),
        windows=(
            window("w8", "12:50", "14:24", 11000, kind="measured"),
            window("w9", "14:24", "14:56", 11000),
        ),
        soc_measured=soc(("06:00", 40), ("12:50", 40), ("14:24", 72)),
        soc_forecast=soc(("14:24", 72), ("14:56", 82), ("15:00", 82), ("23:30", 15)),
    ),
)


def card(
    key: str,
    name: str,
    limit_w: int,
    power_w: int,
    rows: tuple[supervision.VehicleRow, ...],
    power: SitePower,
    *,
    online: int = 2,
) -> supervision.StationCard:
    return supervision.StationCard(
        id=key,
        name=name,
        power=power,
        power_w=power_w,
        rows=rows,
        wide=WIDE,
        narrow=NARROW,
        online=online,
        charging_stations=2,
        faulted=0,
    )


EURRE = card(
    "eurre",
    "Eurre – Écosite",
    24000,
    18400,
    (ZOE, KANGOO),
    SitePower(
        limit_w=24000,
        measured=steps(
            ("06:00", "07:00", 2300),
            ("11:12", "12:00", 17000),
            ("12:00", "13:10", 19200),
            ("13:10", "14:24", 18400),
        ),
        planned=steps(
            ("14:24", "15:36", 18000),
            ("15:36", "17:50", 9900),
            ("+00:10", "+01:00", 4200),
            ("+01:00", "+03:00", 7900),
            ("+03:00", "+04:20", 3700),
        ),
    ),
)
CREST = card(
    "crest",
    "Crest – Gare",
    12000,
    11900,
    (E208,),
    SitePower(
        limit_w=12000,
        measured=steps(("09:00", "11:00", 6900), ("11:00", "13:30", 9100), ("13:30", "14:24", 11900)),
        planned=steps(("14:24", "16:00", 11900), ("18:30", "21:00", 6900), ("+00:00", "+05:00", 2300)),
    ),
    online=1,
)
LORIOL = card(
    "loriol",
    "Loriol-sur-Drôme – Pôle",
    11000,
    11000,
    (R5,),
    SitePower(
        limit_w=11000, measured=steps(("12:50", "14:24", 11000)), planned=steps(("14:24", "14:56", 11000))
    ),
)
WHY = supervision.Why(
    key="eurre~zoe-1~0",
    vehicle="Zoé bleue",
    station="Eurre – Écosite",
    start=at("11:12"),
    end=at("15:36"),
    departure_at=at("16:00"),
    trip_km=90,
    trip_estimated=False,
    goal="booking",
    wanted_wh=41800,
    wanted_percent=80,
    battery_wh=27600,
    battery_percent=53,
    margin_wh=1200,
    need_wh=14200,
    delivered_wh=14200,
    shortfall_wh=0,
    power_w=7200,
    ready_at=at("15:36"),
    spare=timedelta(minutes=24),
    reason="site_limit",
    reason_params={},
    profile="confirmed",
    profile_at=at("11:12").replace(second=4),
)
ALERTS = (
    supervision.Alert(
        id="late-b5",
        severity="high",
        code="late",
        station="Crest – Gare",
        since=at("14:02"),
        params={
            "vehicle": "e-208",
            "late_min": 22,
            "driver": "Claude Fabre",
            "end_at": at("14:02"),
            "next_at": at("14:54"),
        },
        actions=(
            supervision.AlertAction(
                label="call", href="tel:+33400000000", params={"name": "Claude Fabre"}, primary=True
            ),
            supervision.AlertAction(label="booking", href="/bookings/b5"),
        ),
    ),
    supervision.Alert(
        id="limit-PRIVAS-2",
        severity="medium",
        code="disobeys",
        station="Privas – Place du Foiral",
        since=at("14:18"),
        params={"charging_station": "PRIVAS-2", "evse_id": 1},
        actions=(
            supervision.AlertAction(
                label="messages", href="/charging-stations/PRIVAS-2#frames", primary=True
            ),
            supervision.AlertAction(label="reset", href="/charging-stations/PRIVAS-2#commands"),
        ),
    ),
    supervision.Alert(
        id="problem-1",
        severity="low",
        code="problem",
        station="Eurre – Écosite",
        since=at("09:12"),
        params={"vehicle": "Kangoo mairie", "text": "roue arrière", "driver": "M. Petit"},
    ),
)
SUPERVISION = supervision.SupervisionView(
    strip=supervision.StatusStrip(
        power_w=41300,
        limit_w=66000,
        stations=5,
        charging=5,
        out=4,
        late=1,
        departures=3,
        at_risk=0,
        faulted=0,
        offline=1,
        revenue_today_cents=11240,
    ),
    stations=(EURRE, CREST, LORIOL),
    alerts=ALERTS,
    why=WHY,
    now=NOW.astimezone(PARIS),
)
