from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervision.kernel.timespan import (
    EPOCH,
    Timespan,
    format_instant,
    from_millis,
    local_instant,
    parse_instant,
    to_millis,
    to_utc,
)

PARIS = ZoneInfo("Europe/Paris")
DAY = datetime(2026, 11, 21, tzinfo=UTC)

offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
instants = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=offsets)  # noqa: DTZ001
whole_millis = st.integers(0, 7_000_000_000_000)


@st.composite
def timespans(draw: st.DrawFn) -> Timespan:
    """Draw intervals that often touch and overlap."""
    start, length = draw(st.integers(0, 20)), draw(st.integers(1, 20))
    return Timespan(DAY + timedelta(hours=start), DAY + timedelta(hours=start + length))


@given(whole_millis)
def test_milliseconds_survive_the_way_through_an_instant(millis: int) -> None:
    assert to_millis(from_millis(millis)) == millis


@given(instants)
def test_instant_survives_the_way_through_text_to_the_millisecond(instant: datetime) -> None:
    exact = from_millis(to_millis(instant))
    assert parse_instant(format_instant(exact)) == exact


@given(instants)
def test_milliseconds_are_the_whole_ones_passed(instant: datetime) -> None:
    passed = instant - EPOCH
    assert (
        timedelta(milliseconds=to_millis(instant)) <= passed < timedelta(milliseconds=to_millis(instant) + 1)
    )


@given(instants, offsets)
def test_offset_does_not_change_the_instant(instant: datetime, offset: timezone) -> None:
    assert to_millis(instant.astimezone(offset)) == to_millis(instant)
    assert to_utc(instant).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-11-21T18:00:00+01:00", "2026-11-21T17:00:00Z"),
        ("2026-11-21T17:00:00Z", "2026-11-21T17:00:00Z"),
        ("2026-11-21T17:00:00.250Z", "2026-11-21T17:00:00.250Z"),
        ("2026-11-21T17:00:00.2504Z", "2026-11-21T17:00:00.250Z"),
    ],
)
def test_instant_is_written_in_utc(text: str, shown: str) -> None:
    assert format_instant(parse_instant(text)) == shown


@pytest.mark.parametrize("text", ["2026-11-21T18:00:00", "2026-11-21", "tomorrow", ""])
def test_text_without_an_offset_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"naive|Invalid isoformat"):
        parse_instant(text)


def test_naive_instant_is_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        to_millis(datetime(2026, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("on", "at", "utc"),
    [
        (date(2026, 10, 25), time(2, 30), "2026-10-25T00:30:00Z"),  # happens twice: the first
        (date(2026, 10, 25), time(3, 0), "2026-10-25T02:00:00Z"),
        (date(2027, 3, 28), time(2, 30), "2027-03-28T01:30:00Z"),  # skipped: moves forward to 03:30
        (date(2027, 3, 28), time(1, 59), "2027-03-28T00:59:00Z"),
        (date(2026, 7, 14), time(0, 0), "2026-07-13T22:00:00Z"),
    ],
)
def test_wall_clock_times_of_clock_changes_are_instants(on: date, at: time, utc: str) -> None:
    assert format_instant(local_instant(on, at, PARIS)) == utc


@given(timespans(), timespans())
def test_overlap_is_mutual_and_means_a_shared_interval(a: Timespan, b: Timespan) -> None:
    assert a.overlaps(b) == b.overlaps(a) == (a.intersection(b) is not None)
    assert a.intersection(b) == b.intersection(a)


@given(timespans(), timespans())
def test_intersection_holds_what_both_hold(a: Timespan, b: Timespan) -> None:
    shared = a.intersection(b)
    for hour in range(45):
        instant = DAY + timedelta(minutes=60 * hour + 30)
        assert (shared is not None and shared.contains(instant)) == (
            a.contains(instant) and b.contains(instant)
        )


@given(timespans())
def test_timespan_holds_its_start_and_not_its_end(span: Timespan) -> None:
    assert span.contains(span.start)
    assert not span.contains(span.end)
    assert not span.overlaps(Timespan(span.end, span.end + timedelta(hours=1)))


@pytest.mark.parametrize("length_s", [0, -1])
def test_empty_or_reversed_timespan_is_refused(length_s: int) -> None:
    with pytest.raises(ValueError, match="ends after"):
        Timespan(DAY, DAY + timedelta(seconds=length_s))


def test_naive_end_is_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        Timespan(DAY, datetime(2027, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00", 25),
        ("2027-03-28T00:00:00+01:00", "2027-03-29T00:00:00+02:00", 23),
    ],
)
def test_duration_is_elapsed_time_across_clock_changes(start: str, end: str, hours: int) -> None:
    span = Timespan(parse_instant(start), parse_instant(end))
    assert (span.duration, span.seconds) == (timedelta(hours=hours), hours * 3600)


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        ("2026-11-21T00:00:00+01:00", "2026-11-22T00:00:00+01:00", ["2026-11-21"]),
        (
            "2026-11-20T23:59:00+01:00",
            "2026-11-22T00:01:00+01:00",
            ["2026-11-20", "2026-11-21", "2026-11-22"],
        ),
        ("2026-10-24T23:00:00+02:00", "2026-10-25T23:00:00+01:00", ["2026-10-24", "2026-10-25"]),
    ],
)
def test_local_days_are_those_touched(start: str, end: str, days: list[str]) -> None:
    span = Timespan(parse_instant(start), parse_instant(end))
    assert [day.isoformat() for day in span.local_days(PARIS)] == days
