from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest

from supervision.clock import Clock, FixedClock, ScaledClock, SystemClock

START = datetime(2026, 11, 21, 8, tzinfo=UTC)


@pytest.mark.parametrize("clock", [SystemClock(), ScaledClock(origin=START, speed=24), FixedClock(START)])
def test_every_clock_tells_aware_utc(clock: Clock) -> None:
    assert clock.now().utcoffset() == timedelta(0)


@pytest.mark.parametrize("clock", [SystemClock(), ScaledClock(origin=START, speed=1000)])
async def test_sleep_lets_the_clock_go_on(clock: Clock) -> None:
    before = clock.now()
    await clock.sleep(0.001)
    assert clock.now() > before


def test_scaled_clock_starts_at_its_origin() -> None:
    assert ScaledClock(origin=START, speed=0.001).now() - START < timedelta(seconds=1)


def test_scaled_clock_takes_an_origin_of_any_zone() -> None:
    local = START.astimezone(timezone(timedelta(hours=1)))
    assert ScaledClock(origin=local, speed=0.001).now().replace(microsecond=0) == START


@pytest.mark.parametrize("speed", [0, -1])
def test_scaled_clock_that_does_not_run_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        ScaledClock(origin=START, speed=speed)


async def test_fixed_clock_wakes_sleepers_when_their_instant_is_reached() -> None:
    clock, woken = FixedClock(START), list[str]()

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(name)

    async with asyncio.TaskGroup() as group:
        group.create_task(sleeper("minute", 60))
        group.create_task(sleeper("hour", 3600))
        await asyncio.sleep(0)
        clock.advance(seconds=59)
        await asyncio.sleep(0)
        assert woken == []
        clock.advance(seconds=1)
        await asyncio.sleep(0)
        assert woken == ["minute"]
        clock.set(START + timedelta(days=1))
    assert woken == ["minute", "hour"]


async def test_fixed_clock_does_not_wait_for_nothing() -> None:
    clock = FixedClock(START)
    await clock.sleep(0)
    await clock.sleep(-1)
    assert clock.now() == START


async def test_fixed_clock_passes_over_a_cancelled_sleeper() -> None:
    clock = FixedClock(START)
    async with asyncio.TaskGroup() as group:
        sleeper = group.create_task(clock.sleep(10))
        await asyncio.sleep(0)
        sleeper.cancel()
    clock.advance(seconds=10)
    assert clock.now() == START + timedelta(seconds=10)
