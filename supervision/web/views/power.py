"""Measured power for drawing: level steps from samples, sums over EVSEs, stretches of charging. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from supervision.kernel.timespan import Timespan
from supervision.web.timeline import PowerStep

SILENCE = timedelta(minutes=20)  # a sample says nothing about what is longer ago than this
IDLE_W = 100  # below this nothing charges: standby of the electronics
PAUSE = timedelta(minutes=10)  # a pause shorter than this is one stretch of charging


@dataclass(frozen=True)
class Sample:
    """Power from an instant on."""

    at: datetime
    power_w: int


def levels(samples: Sequence[Sample], *, until: datetime) -> list[PowerStep]:
    """Turn samples, oldest first, into steps; each holds until the next one, at most for `SILENCE`."""
    ends = [*(after.at for after in samples[1:]), until]
    steps = []
    for sample, end in zip(samples, ends, strict=True):
        stop = min(end, sample.at + SILENCE, until)
        if stop > sample.at:
            steps.append(PowerStep(span=Timespan(sample.at, stop), power_w=sample.power_w))
    return steps


def total(series: Iterable[Sequence[PowerStep]], span: Timespan, bucket: timedelta) -> list[PowerStep]:
    """Average the sum of several series over equal buckets of `span`; empty buckets are left out."""
    count = -(-span.duration // bucket)
    joules = [0.0] * count
    for steps in series:
        for step in steps:
            for index, seconds in _shares(step.span, span, bucket):
                joules[index] += step.power_w * seconds
    found = []
    for index, energy in enumerate(joules):
        start = span.start + index * bucket
        end = min(start + bucket, span.end)
        if energy:
            power_w = round(energy / (end - start).total_seconds())
            found.append(PowerStep(span=Timespan(start, end), power_w=power_w))
    return found


def _shares(step: Timespan, span: Timespan, bucket: timedelta) -> Iterator[tuple[int, float]]:
    """Seconds of a step in each bucket it touches."""
    shown = step.intersection(span)
    at = shown.start if shown else span.end
    while shown and at < shown.end:
        index = (at - span.start) // bucket
        stop = min(shown.end, span.start + (index + 1) * bucket)
        yield index, (stop - at).total_seconds()
        at = stop


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A stretch of charging with its energy."""

    span: Timespan
    energy_wh: int

    @property
    def mean_w(self) -> int:
        """Average power."""
        return round(self.energy_wh * 3600 / self.span.seconds)


def stretches(steps: Sequence[PowerStep]) -> list[Stretch]:
    """Group steps above idle into stretches; short pauses do not split them."""
    groups: list[list[PowerStep]] = []
    for step in steps:
        if step.power_w <= IDLE_W:
            continue
        if groups and step.span.start - groups[-1][-1].span.end <= PAUSE:
            groups[-1].append(step)
        else:
            groups.append([step])
    return [_stretch(group) for group in groups]


def _stretch(group: Sequence[PowerStep]) -> Stretch:
    energy = sum(step.power_w * step.span.seconds for step in group) / 3600
    return Stretch(span=Timespan(group[0].span.start, group[-1].span.end), energy_wh=round(energy))


def planned_total(periods: Iterable[PowerStep], span: Timespan) -> list[PowerStep]:
    """Sum level steps that may overlap, exactly, over the instants where one begins or ends."""
    steps = [step for step in periods if step.span.overlaps(span)]
    edges = sorted({edge for step in steps for edge in (step.span.start, step.span.end)})
    found = []
    for start, end in pairwise(edges):
        here = Timespan(start, end)
        power_w = sum(step.power_w for step in steps if step.span.overlaps(here))
        if power_w:
            found.append(PowerStep(span=here, power_w=power_w))
    return found
