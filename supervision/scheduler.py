"""Wakes the steps that have something due.

APScheduler only rings; what is due stands in tables, and a step that is rung late, twice or not at all
does no harm. Each step runs in a task of our own group, one at a time, and a failing step is logged and
rung again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from apscheduler.executors.debug import DebugExecutor
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from prometheus_client import Counter, Gauge

from supervision.clock import Clock
from supervision.log import Log

log = Log("supervision.scheduler")

FAILURES = Counter("supervision_scheduler_failures", "Steps that raised", ["step"])
LAST_RUN = Gauge("supervision_scheduler_last_run_seconds", "When a step last ended well", ["step"])


@dataclass(frozen=True)
class Step:
    """A piece of due work: idempotent, asks the store what is due, may be rung at any time."""

    name: str
    every_s: float
    run: Callable[[], Awaitable[object]]


class Scheduler:
    """Rings every step at its interval, in seconds of `clock` (`speed` of them a second)."""

    def __init__(self, steps: Sequence[Step], clock: Clock, *, speed: float = 1.0) -> None:
        self._steps = steps
        self._clock = clock
        self._speed = speed
        self._bells = {step.name: asyncio.Event() for step in steps}
        self.ready = False

    def ring(self, name: str) -> None:
        """Run a step as soon as it is free."""
        self._bells[name].set()

    async def run(self) -> None:
        """Serve for ever; ends only by cancellation."""
        # The executor calls `ring` in the loop itself: APScheduler's tasks would be nobody's, and those still
        # waiting at a clean stop would be logged as errors. Without a grace time it drops what is a second
        # late, e.g. after a suspended machine.
        waker = AsyncIOScheduler(
            executors={"default": DebugExecutor()},
            job_defaults={"misfire_grace_time": None, "coalesce": True},
        )
        for step in self._steps:
            waker.add_job(self.ring, "interval", [step.name], seconds=max(0.05, step.every_s / self._speed))
            self.ring(step.name)
        waker.start()
        self.ready = True
        try:
            async with asyncio.TaskGroup() as group:
                for step in self._steps:
                    group.create_task(self._serve(step), name=f"step-{step.name}")
        finally:
            self.ready = False
            waker.shutdown(wait=False)

    async def _serve(self, step: Step) -> None:
        bell = self._bells[step.name]
        while True:
            await bell.wait()
            bell.clear()
            try:
                await step.run()
                LAST_RUN.labels(step.name).set(self._clock.now().timestamp())
            except Exception as error:
                FAILURES.labels(step.name).inc()
                log.error("scheduler.step_failed", exc_info=error, step=step.name)
