"""Time of the loop: slow while somebody acts, fast while cars only charge, never past where it was sent.

Server and emulators read the same time, so a busy machine changes how long a test takes and nothing else.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from chargepoint_emulator.clock import SpeedClock

SLOW, FAST = 20.0, 900.0
POLL_S = 0.005
NAP_S = 0.02

Predicate = Callable[[], Awaitable[bool]]


class LoopTime:
    """The `Clock` of the server under test."""

    def __init__(self, origin: datetime) -> None:
        self._origin = origin.astimezone(UTC)
        self._speed = SLOW
        self._passed_s = 0.0
        self._since = time.monotonic()
        self._ceiling_s = math.inf

    def passed_s(self) -> float:
        """Return the seconds since the origin."""
        running = self._passed_s + (time.monotonic() - self._since) * self._speed
        return min(self._ceiling_s, running)

    def now(self) -> datetime:
        """Return the present instant."""
        return self._origin + timedelta(seconds=self.passed_s())

    async def sleep(self, seconds: float) -> None:
        """Wait `seconds` of this clock."""
        end_s = self.passed_s() + seconds
        while self.passed_s() < end_s:  # noqa: ASYNC110 - time is told by a clock, no event
            await asyncio.sleep(POLL_S)

    async def run_until(self, at: datetime) -> None:
        """Let time run fast to an instant, and not a moment further."""
        self._go(FAST, ceiling_s=(at - self._origin).total_seconds())
        while self.now() < at:  # noqa: ASYNC110 - the same
            await asyncio.sleep(POLL_S)
        self._go(SLOW, ceiling_s=math.inf)

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Stop time, e.g. while a charge point learns the hour: what travels at this speed arrives late."""
        self._go(0.0, ceiling_s=math.inf)
        try:
            yield
        finally:
            self._go(SLOW, ceiling_s=math.inf)

    async def until(self, holds: Predicate, *, what: str, within_s: float = 600) -> None:
        """Wait until a condition holds, at most so many seconds of this clock."""
        end_s = self.passed_s() + within_s
        while not await holds():
            if self.passed_s() > end_s:
                raise TimeoutError(f"{what}: not within {within_s:.0f} s")
            await asyncio.sleep(NAP_S)

    def _go(self, speed: float, *, ceiling_s: float) -> None:
        self._passed_s, self._since = self.passed_s(), time.monotonic()
        self._speed, self._ceiling_s = speed, ceiling_s


class EmulatorTime(SpeedClock):
    """The uptime of an emulator that lives in a `LoopTime`."""

    def __init__(self, loop_time: LoopTime) -> None:
        super().__init__()
        self._time = loop_time
        self.switched_on_s = loop_time.passed_s()

    def uptime_s(self) -> float:
        """Return the seconds since the emulator was switched on."""
        return self._time.passed_s() - self.switched_on_s

    def real_seconds_until(self, uptime_s: float) -> float:
        """Look again soon: the speed may change at any moment."""
        left_s = uptime_s - self.uptime_s()
        return left_s if math.isinf(left_s) else min(max(0.0, left_s), NAP_S)
