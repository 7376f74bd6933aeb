"""Instants are aware UTC, intervals are half-open, local days exist only through a zone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


def to_utc(instant: datetime) -> datetime:
    """Return the same instant in UTC; a naive datetime is a bug and raises ValueError."""
    if instant.tzinfo is UTC:
        return instant
    if instant.tzinfo is None:
        raise ValueError("a naive datetime has no place here")
    return instant.astimezone(UTC)


def parse_instant(text: str) -> datetime:
    """Read RFC 3339 with an offset; ValueError without one."""
    return to_utc(datetime.fromisoformat(text))


def instant_text(instant: datetime | None) -> str | None:
    """Write an instant that may be missing."""
    return None if instant is None else format_instant(instant)


def format_instant(instant: datetime) -> str:
    """Write RFC 3339 in UTC, milliseconds only when there are some."""
    moment = to_utc(instant)
    precision = "milliseconds" if moment.microsecond else "seconds"
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")


def to_millis(instant: datetime) -> int:
    """Milliseconds since 1970, exact (no float on the way)."""
    return (to_utc(instant) - EPOCH) // MILLISECOND


def from_millis(millis: int) -> datetime:
    """Return the instant `millis` milliseconds after 1970."""
    return EPOCH + timedelta(milliseconds=millis)


def local_instant(on: date, at: time, zone: ZoneInfo) -> datetime:
    """UTC instant of a wall-clock time; a time skipped by the clock change moves forward."""
    return datetime.combine(on, at, tzinfo=zone).astimezone(UTC)


@dataclass(frozen=True, order=True)
class Timespan:
    """A half-open interval ``[start, end)`` of UTC instants; never empty, never reversed."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", to_utc(self.start))
        object.__setattr__(self, "end", to_utc(self.end))
        if self.end <= self.start:
            raise ValueError("a timespan ends after it starts")

    @property
    def duration(self) -> timedelta:
        """Elapsed time, right across clock changes because both ends are UTC."""
        return self.end - self.start

    @property
    def seconds(self) -> float:
        """Elapsed seconds."""
        return self.duration.total_seconds()

    def contains(self, instant: datetime) -> bool:
        """Tell whether the instant lies in ``[start, end)``."""
        return self.start <= instant < self.end

    def overlaps(self, other: Timespan) -> bool:
        """Tell whether the two intervals share any instant; touching ones do not."""
        return self.start < other.end and other.start < self.end

    def intersection(self, other: Timespan) -> Timespan | None:
        """The shared interval, or None."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Timespan(start, end) if start < end else None

    def local_days(self, zone: ZoneInfo) -> Iterator[date]:
        """Every local calendar day the interval touches, in order."""
        day = self.start.astimezone(zone).date()
        last = (self.end - timedelta(microseconds=1)).astimezone(zone).date()
        while day <= last:
            yield day
            day += timedelta(days=1)
