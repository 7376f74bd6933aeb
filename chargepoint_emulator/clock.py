"""Time of an emulated station: an uptime that may run fast, and a calendar set by the central system."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


class SpeedClock:
    """Seconds of emulated uptime: real seconds times ``speed``."""

    def __init__(self, *, speed: float = 1.0) -> None:
        """Start at zero now."""
        self.speed = speed
        self._started = time.monotonic()

    def uptime_s(self) -> float:
        """Return the emulated seconds since the start."""
        return (time.monotonic() - self._started) * self.speed

    def real_seconds_until(self, uptime_s: float) -> float:
        """Return the real time left until an uptime, never negative."""
        return max(0.0, (uptime_s - self.uptime_s()) / self.speed)

    async def wait_until(self, uptime_s: float) -> None:
        """Wait until an uptime."""
        await asyncio.sleep(self.real_seconds_until(uptime_s))


def system_now() -> datetime:
    """Return the hour of this computer: a station's calendar before its first BootNotification."""
    return datetime.now(UTC)  # noqa: TID251 - the one place that reads the hour


@dataclass(kw_only=True)
class Calendar:
    """Maps uptime to the hour; ``skew_s`` is the error of a station whose clock is wrong."""

    origin: datetime
    tolerance_s: float = 1.0
    skew_s: float = 0.0

    def at(self, uptime_s: float) -> datetime:
        """Return the hour at an uptime, in whole milliseconds so that schedule edges are met exactly."""
        return _whole_ms(self.origin + timedelta(seconds=uptime_s + self.skew_s))

    def uptime_of(self, at: datetime) -> float:
        """Return the uptime at which it will be that hour."""
        return (at - self.origin).total_seconds() - self.skew_s

    def set(self, *, server_time: datetime, uptime_s: float) -> bool:
        """Follow the central system's clock; return whether it moved by more than the tolerance."""
        off_s = (server_time - self.origin).total_seconds() - uptime_s
        if abs(off_s) <= self.tolerance_s:
            return False
        self.origin += timedelta(seconds=off_s)
        return True


def _whole_ms(at: datetime) -> datetime:
    rounded = at + timedelta(microseconds=500)
    return rounded.replace(microsecond=rounded.microsecond // 1000 * 1000)
