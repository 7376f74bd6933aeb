"""Steps are rung again and again, one failure stops nothing, and a stop leaves nothing behind."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from supervision.clock import SystemClock
from supervision.scheduler import FAILURES, Scheduler, Step


class Counted:
    """A step that counts its runs and tells when there were enough."""

    def __init__(self, enough: int, *, then: Callable[[], Awaitable[object]] | None = None) -> None:
        self.runs = 0
        self.begun, self.done = asyncio.Event(), asyncio.Event()
        self._enough = enough
        self._then = then

    async def __call__(self) -> None:
        self.runs += 1
        self.begun.set()
        if self.runs >= self._enough:
            self.done.set()
        if self._then is not None:
            await self._then()


@asynccontextmanager
async def running(*steps: Step, speed: float = 1.0) -> AsyncIterator[Scheduler]:
    """Run a scheduler for the length of a block."""
    scheduler = Scheduler(steps, SystemClock(), speed=speed)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(scheduler.run())
        try:
            yield scheduler
        finally:
            task.cancel()


async def test_step_runs_at_once_and_again_at_its_interval() -> None:
    soon, once_an_hour = Counted(3), Counted(1)
    async with running(Step("soon", 0.05, soon), Step("later", 3600, once_an_hour)) as scheduler:
        await asyncio.wait_for(soon.done.wait(), 30)
        await asyncio.wait_for(once_an_hour.done.wait(), 30)
        assert scheduler.ready
    assert once_an_hour.runs == 1
    assert not scheduler.ready


async def test_interval_is_told_in_seconds_of_a_clock_that_runs_fast() -> None:
    hourly = Counted(3)
    async with running(Step("hourly", 3600, hourly), speed=72_000):
        await asyncio.wait_for(hourly.done.wait(), 30)


async def test_step_rung_runs_before_its_interval_is_over() -> None:
    hourly = Counted(2)
    async with running(Step("hourly", 3600, hourly)) as scheduler:
        await asyncio.wait_for(hourly.begun.wait(), 30)
        scheduler.ring("hourly")
        await asyncio.wait_for(hourly.done.wait(), 30)


async def test_failing_step_is_logged_counted_and_rung_again(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise ValueError("no such table")

    failing, before = Counted(2, then=fail), FAILURES.labels("failing")._value.get()
    async with running(Step("failing", 0.05, failing)):
        await asyncio.wait_for(failing.done.wait(), 30)
    assert FAILURES.labels("failing")._value.get() - before >= 1
    assert {record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR} == {
        "scheduler.step_failed"
    }


async def test_only_steps_are_tasks_and_a_stop_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    before = asyncio.all_tasks()
    soon = [Counted(5) for _ in range(4)]
    async with running(*(Step(f"s{n}", 0.05, step) for n, step in enumerate(soon))):
        for step in soon:
            await asyncio.wait_for(step.done.wait(), 30)
        names = {task.get_name() for task in asyncio.all_tasks() - before}
        assert {name for name in names if name.startswith("step-")} == {f"step-s{n}" for n in range(4)}
        assert len(names) == 5  # the scheduler itself
    assert asyncio.all_tasks() == before
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
