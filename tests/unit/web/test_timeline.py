"""Geometry of the timeline: exact places, also over closing hours and nights of clock change."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from supervision.kernel.timespan import Timespan
from supervision.web import timeline
from supervision.web.timeline import BookingBar, Lane, PowerStep, SitePower, SocPoint, WindowBar
from tests.unit.web.samples import PARIS

NOW = datetime(2026, 11, 21, 13, 24, tzinfo=UTC)
AXIS = timeline.axis(now=NOW, zone=PARIS, past_h=8, future_h=16, step_h=2, closed=(time(0), time(5)))


def hours(start: float, end: float) -> Timespan:
    """An interval in hours after the start of the axis (06:00 in Paris)."""
    return Timespan(AXIS.span.start + timedelta(hours=start), AXIS.span.start + timedelta(hours=end))


def test_axis_starts_at_a_whole_local_hour_and_marks_now() -> None:
    assert AXIS.span.start == datetime(2026, 11, 21, 5, tzinfo=UTC)
    assert AXIS.now_x == 35
    assert [tick.at.hour for tick in AXIS.ticks] == [6, 8, 10, 12, 14, 16, 18, 20, 22, 0, 2, 4, 6]


def test_C25_closing_hours_stand_behind_the_night() -> None:
    assert [(band.x, round(band.width, 2)) for band in AXIS.closed] == [(75, 20.83)]


def test_closing_hours_over_midnight_show_on_both_sides() -> None:
    axis = timeline.axis(now=NOW, zone=PARIS, past_h=8, future_h=16, step_h=2, closed=(time(23), time(7)))
    assert [round(band.x, 2) for band in axis.closed] == [0, 70.83]


def test_night_of_25_october_has_a_closing_of_six_hours() -> None:
    axis = timeline.axis(
        now=datetime(2026, 10, 24, 20, tzinfo=UTC),
        zone=PARIS,
        past_h=0,
        future_h=12,
        step_h=1,
        closed=(time(0), time(5)),
    )
    assert [band.item.duration for band in axis.closed] == [timedelta(hours=6)]
    assert [tick.at.hour for tick in axis.ticks] == [22, 23, 0, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9]


def test_C38_booking_is_followed_by_its_buffer() -> None:
    bar = BookingBar(
        id="b", span=hours(6, 12), label="", buffer_until=AXIS.span.start + timedelta(hours=12.6)
    )
    drawing = timeline.draw_lane(Lane(bookings=(bar,)), AXIS)
    assert [(placed.x, placed.width) for placed in drawing.bookings] == [(25, 25)]
    assert [(placed.x, round(placed.width, 6)) for placed in drawing.buffers] == [(50, 2.5)]


def test_booking_beyond_the_axis_is_cut_and_one_outside_is_left_out() -> None:
    lane = Lane(
        bookings=(
            BookingBar(id="early", span=hours(-3, 6), label=""),
            BookingBar(id="gone", span=hours(-9, -3), label=""),
            BookingBar(id="long", span=hours(18, 40), label=""),
        )
    )
    placed = timeline.draw_lane(lane, AXIS).bookings
    assert [(bar.item.id, bar.x, bar.width, bar.cut_left, bar.cut_right) for bar in placed] == [
        ("early", 0, 25, True, False),
        ("long", 75, 25, False, True),
    ]


def test_window_of_a_minute_stays_visible() -> None:
    bar = WindowBar(id="w", span=hours(1, 1 + 1 / 60), kind="planned", energy_wh=120, power_w=7200)
    assert timeline.draw_lane(Lane(windows=(bar,)), AXIS).windows[0].width == timeline.MIN_WIDTH


def test_soc_curve_meets_the_edges_at_its_true_value() -> None:
    start = AXIS.span.start
    points = (
        SocPoint(at=start - timedelta(hours=6), percent=80),
        SocPoint(at=start + timedelta(hours=6), percent=40),
    )
    assert timeline.draw_lane(Lane(soc_measured=points), AXIS).soc_measured == "0.0,40.0 250.0,60.0"


def test_power_is_a_staircase_that_falls_between_steps_and_an_excess_stays_inside() -> None:
    power = SitePower(
        limit_w=10000,
        measured=(PowerStep(span=hours(0, 6), power_w=5000), PowerStep(span=hours(12, 18), power_w=20000)),
        planned=(PowerStep(span=hours(18, 24), power_w=10000), PowerStep(span=hours(20, 21), power_w=0)),
    )
    drawing = timeline.draw_power(power, AXIS)
    assert drawing.measured == "M0.0 100V78.3H250.0V100ZM500.0 100V13.0H750.0V100Z"
    assert drawing.planned == "M750.0 56.5H1000.0"
    assert round(drawing.limit_y, 1) == 56.5


def test_per_cent_is_written_short() -> None:
    assert [timeline.per_cent(value) for value in (0, 12.5, 33.33333, 100)] == [
        "0%",
        "12.5%",
        "33.33%",
        "100%",
    ]
