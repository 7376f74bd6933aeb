"""The only place that knows the hour."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells aware UTC instants and waits for them."""

    def now(self) -> datetime:
        """Return the present instant, aware UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait `seconds` of this clock (a fast clock waits less of the world's time)."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the machine's present instant."""
        return datetime.now(UTC)  # noqa: TID251 - the one place allowed to ask

    async def sleep(self, seconds: float) -> None:
        """Wait `seconds` of the machine's time."""
        await asyncio.sleep(seconds)


class ScaledClock:
    """A clock that starts at `origin` and runs `speed` times as fast as the machine's (demo)."""

    def __init__(self, *, origin: datetime, speed: float) -> None:
        if speed <= 0:
            raise ValueError("speed must be positive")
        self._origin = origin.astimezone(UTC)
        self._speed = speed
        self._started = time.monotonic()

    def now(self) -> datetime:
        """Origin plus the scaled time elapsed since this clock was made."""
        return self._origin + timedelta(seconds=(time.monotonic() - self._started) * self._speed)

    async def sleep(self, seconds: float) -> None:
        """Wait `seconds` of this clock."""
        await asyncio.sleep(seconds / self._speed)


class FixedClock:
    """A clock that moves only when told (tests); sleepers wake when their instant is reached."""

    def __init__(self, instant: datetime) -> None:
        self._instant = instant.astimezone(UTC)
        self._sleepers: list[tuple[datetime, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        """Return the instant last set."""
        return self._instant

    def set(self, instant: datetime) -> None:
        """Jump to `instant` and wake everyone due by then."""
        self._instant = instant.astimezone(UTC)
        due = [entry for entry in self._sleepers if entry[0] <= self._instant]
        self._sleepers = [entry for entry in self._sleepers if entry[0] > self._instant]
        for _, future in due:
            if not future.done():
                future.set_result(None)

    def advance(self, **delta: float) -> None:
        """Move forward by ``timedelta(**delta)``."""
        self.set(self._instant + timedelta(**delta))

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has been moved `seconds` forward."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._instant + timedelta(seconds=seconds), future))
        await future
