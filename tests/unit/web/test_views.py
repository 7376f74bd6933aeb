"""What the pages compute from the packages' values: power, plans, forecasts, the state of a car. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from supervision.booking.model import Booking, BookingStatus, Usage
from supervision.fleet.model import EvseReference, Vehicle
from supervision.kernel.timespan import Timespan
from supervision.web.timeline import PowerStep
from supervision.web.views.bookings import later_ends
from supervision.web.views.devices import shown_status
from supervision.web.views.energy import range_km
from supervision.web.views.forecast import TripAhead, forecast
from supervision.web.views.lanes import VehicleFacts, vehicle_row, vehicle_state
from supervision.web.views.plans import PlannedPeriod, plan_from
from supervision.web.views.power import Sample, levels, planned_total, stretches, total
from supervision.web.views.why import why_of
from tests.unit.web.samples import PARIS

NOW = datetime(2026, 11, 21, 13, 0, tzinfo=UTC)
ZOE = Vehicle(
    id="zoe",
    organisation_id="org",
    station_id="eurre",
    name="Zoé",
    plate="AB-123-CD",
    model="zoe-52",
    battery_wh=50000,
    phases=3,
    max_a=32,
    min_a=8,
    wh_per_km=200,
    efficiency=0.9,
    evse=EvseReference(charging_station="E1", evse_id=1),
)


def minutes(start: float, end: float) -> Timespan:
    return Timespan(NOW + timedelta(minutes=start), NOW + timedelta(minutes=end))


def step(start: float, end: float, power_w: int) -> PowerStep:
    return PowerStep(span=minutes(start, end), power_w=power_w)


def period(start: float, end: float, power_w: int) -> PlannedPeriod:
    return PlannedPeriod(span=minutes(start, end), current_a=16, power_w=power_w)


# --- power ---------------------------------------------------------------------------------------------


def test_sample_holds_until_the_next_and_not_beyond_the_silence() -> None:
    samples = [Sample(NOW, 7000), Sample(NOW + timedelta(minutes=5), 6000)]
    until = NOW + timedelta(hours=2)
    assert levels(samples, until=until) == [step(0, 5, 7000), step(5, 25, 6000)]


def test_total_averages_the_sum_over_buckets() -> None:
    series = [[step(0, 10, 6000)], [step(5, 15, 3000)]]
    assert total(series, minutes(0, 30), timedelta(minutes=10)) == [step(0, 10, 7500), step(10, 20, 1500)]


def test_stretches_ignore_standby_and_bridge_short_pauses() -> None:
    steps = [step(0, 30, 7000), step(30, 35, 20), step(35, 60, 7000), step(60, 100, 0), step(100, 160, 3000)]
    found = stretches(steps)
    assert [(one.span, one.energy_wh) for one in found] == [
        (minutes(0, 60), 6417),
        (minutes(100, 160), 3000),
    ]
    assert found[1].mean_w == 3000


def test_planned_total_adds_what_overlaps() -> None:
    periods = [step(0, 60, 4000), step(30, 90, 2000)]
    assert planned_total(periods, minutes(0, 120)) == [
        step(0, 30, 4000),
        step(30, 60, 6000),
        step(60, 90, 2000),
    ]


# --- battery ---------------------------------------------------------------------------------------------


def test_forecast_charges_by_the_plan_and_drives_by_the_booking() -> None:
    points = forecast(
        ZOE,
        40,
        now=NOW,
        until=NOW + timedelta(hours=4),
        periods=[period(0, 60, 10000)],
        trips=[TripAhead(span=minutes(120, 180), km=50)],
    )
    assert [(point.at - NOW, round(point.percent, 6)) for point in points] == [
        (timedelta(0), 40),
        (timedelta(hours=1), 58),
        (timedelta(hours=2), 58),
        (timedelta(hours=3), 38),
        (timedelta(hours=4), 38),
    ]


def test_forecast_stays_between_empty_and_full() -> None:
    trips = [TripAhead(span=minutes(0, 60), km=1000)]
    points = forecast(ZOE, 40, now=NOW, until=NOW + timedelta(hours=2), periods=[], trips=trips)
    assert points[-1].percent == 0


@pytest.mark.parametrize(("stored_wh", "km"), [(42000, 210), (41999, 200), (0, 0)])
def test_range_is_rounded_down_to_ten(stored_wh: int, km: int) -> None:
    assert range_km(stored_wh, ZOE.wh_per_km) == km


# --- the car in one word -----------------------------------------------------------------------------------


def booking(start: float, end: float, status: BookingStatus = BookingStatus.BOOKED, **more: Any) -> Booking:
    span = minutes(start, end)
    return Booking(
        id="b1",
        organisation_id="org",
        community_id="com",
        station_id="eurre",
        vehicle_id="zoe",
        driver_id="d1",
        made_by_id="d1",
        status=status,
        start_at=span.start,
        end_at=span.end,
        blocked_until=span.end + timedelta(minutes=30),
        made_at=NOW,
        **more,
    )


def facts(
    *bookings: Booking, status: str = "Available", power_w: int = 0, connected: bool = True, **more: Any
) -> VehicleFacts:
    evse = {"status": status, "power_w": power_w, "connected": connected, "soc_percent": None}
    known: dict[str, Any] = {"windows": [], "measured": [], "ledger": [], "soc_percent": 50.0, **more}
    return VehicleFacts(
        vehicle=ZOE,
        station_id="eurre",
        bookings=bookings,
        blocks=[],
        names={"d1": "D One"},
        evse=evse,
        zone=PARIS,
        now=NOW,
        **known,
    )


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (facts(booking(-60, 60, BookingStatus.ACTIVE)), "out"),
        (facts(booking(-60, -22, BookingStatus.ACTIVE)), "late"),
        (facts(status="Charging", power_w=7200), "charging"),
        (facts(status="Occupied", power_w=7200), "charging"),
        (facts(status="SuspendedEVSE"), "plugged"),
        (facts(status="Available"), "unplugged"),
        (facts(status="Faulted"), "faulted"),
        (facts(status="Charging", connected=False), "unreachable"),
        (facts(status="Unavailable"), "free"),
    ],
)
def test_state_of_a_car_is_its_driver_else_its_plug(found: VehicleFacts, kind: str) -> None:
    assert vehicle_state(found).kind == kind


def test_late_car_says_by_how_much_and_with_whom() -> None:
    state = vehicle_state(facts(booking(-60, -22, BookingStatus.ACTIVE)))
    assert (state.late, state.who) == (timedelta(minutes=22), "D One")


def test_row_draws_late_and_staff_bookings_apart_and_leaves_cancelled_ones_out() -> None:
    row = vehicle_row(
        facts(
            booking(-90, -22, BookingStatus.ACTIVE),
            booking(60, 120, usage=Usage.STAFF),
            booking(200, 300, BookingStatus.CANCELLED),
        ),
        span=minutes(-480, 960),
    )
    bars = [(bar.kind, bar.span, bar.buffer_until is not None) for bar in row.lane.bookings]
    assert bars == [("late", minutes(-90, 0), True), ("staff", minutes(60, 120), True)]


# --- plans ---------------------------------------------------------------------------------------------


def plan_row() -> dict[str, Any]:
    def text(offset_min: float) -> str:
        return (NOW + timedelta(minutes=offset_min)).isoformat()

    periods = [
        {"from": text(0), "to": text(30), "amps": 16.0, "watts": 11040},
        {"from": text(30), "to": text(60), "amps": 8.0, "watts": 5520},
        {"from": text(90), "to": text(120), "amps": 16.0, "watts": 11040},
    ]
    window = {
        "car": "zoe",
        "evse": "E1/1",
        "delivered_wh": 13800,
        "shortfall_wh": 200,
        "periods": periods,
        "reason_code": "site_limit",
        "reason_params": {"delivered_wh": 13800},
    }
    need = {
        "car": "zoe",
        "why": "booking",
        "plugged_until": text(180),
        "booking_start": text(180),
        "needed_wh": 40000,
        "stored_wh": 27600,
        "uncertainty_wh": 1200,
        "from_grid_wh": 14000,
        "km": 90.0,
        "km_estimated": False,
    }
    return {
        "id": 7,
        "made_at": NOW,
        "solver": "highs",
        "plan": {"windows": [window]},
        "needs": [need],
    }


def test_planned_bars_are_runs_without_a_pause_and_show_what_is_left() -> None:
    plan = plan_from(plan_row())
    row = vehicle_row(
        facts(status="Charging", power_w=11000, windows=plan.of_car("zoe")), span=minutes(-480, 960)
    )
    bars = [(bar.span, bar.energy_wh, bar.href) for bar in row.lane.windows]
    assert bars == [
        (minutes(0, 60), 8280, "/supervision?why=eurre~zoe~0"),
        (minutes(90, 120), 5520, "/supervision?why=eurre~zoe~0"),
    ]


def test_plan_tells_the_current_of_an_evse_now() -> None:
    plan = plan_from(plan_row())
    at = [NOW + timedelta(minutes=offset) for offset in (0, 45, 75)]
    assert [plan.limit_a("E1/1", instant) for instant in at] == [16.0, 8.0, 0.0]
    assert plan.limit_a("E1/2", NOW) is None


def test_why_repeats_the_planners_figures() -> None:
    profile = {
        "charging_station": "E1",
        "evse_id": 1,
        "charging_plan_id": 7,
        "state": "accepted",
        "verified": "composite",
        "verified_at": NOW,
        "sent_at": NOW,
    }
    why = why_of(
        plan_from(plan_row()),
        "eurre~zoe~0",
        vehicles={"zoe": ZOE},
        profiles=[profile],
        station="Eurre",
        zone=PARIS,
        now=NOW,
    )
    assert why is not None
    assert (why.need_wh, why.delivered_wh, why.shortfall_wh, why.power_w) == (14000, 13800, 200, 11040)
    assert (why.wanted_wh, why.wanted_percent, why.battery_wh, why.margin_wh) == (40000, 80, 27600, 1200)
    assert (why.trip_km, why.spare, why.profile) == (90, timedelta(hours=1), "confirmed")


def test_why_of_an_unknown_window_is_nothing() -> None:
    plan = plan_from(plan_row())
    assert (
        why_of(
            plan,
            "eurre~kangoo~3",
            vehicles={"zoe": ZOE},
            profiles=[],
            station="Eurre",
            zone=PARIS,
            now=NOW,
        )
        is None
    )


# --- extending ---------------------------------------------------------------------------------------------


def test_C44_later_ends_are_half_hours_first_and_always_hold_the_latest() -> None:
    ends = later_ends(NOW, NOW + timedelta(hours=13, minutes=10))
    offsets = [(end - NOW) / timedelta(hours=1) for end in ends]
    assert offsets[:3] == [0.5, 1, 1.5]
    assert offsets[11:] == [6, 7, 8, 9, 10, 11, 12, pytest.approx(13.1667, abs=1e-3)]


@pytest.mark.parametrize(
    ("status", "charging_state", "shown"),
    [
        ("Occupied", "Charging", "Charging"),
        ("Occupied", "SuspendedEVSE", "SuspendedEVSE"),
        ("Occupied", "EVConnected", "Preparing"),
        ("Occupied", "Idle", "Finishing"),
        ("Occupied", None, "Occupied"),
        ("Faulted", "Charging", "Faulted"),
    ],
)
def test_an_occupied_evse_shows_what_its_charge_says(
    status: str, charging_state: str | None, shown: str
) -> None:
    assert shown_status(status, {"charging_state": charging_state}) == shown
    assert shown_status(status, None) == status
