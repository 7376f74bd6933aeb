"""Many stations on one central system: at rest, at work, all at once, and beside one that floods.

The server keeps its own limits here. Latency is counted from the moment a message was due, so that a load
that falls behind cannot hide a slow server.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import click

from bench.load import Socket, identity, many_files, meter_values
from bench.process import cpu_s, load_before, resident_kib, server

BOOT = b'[2,"boot","BootNotification",{"chargePointVendor":"Bench","chargePointModel":"One"}]'.ljust(126)
DIALLING = 200  # handshakes at the same time where the storm is not what is measured
PATIENCE_S = 180
TICK_S = 0.01
SETTLED_S = 3.0  # the central system looks after a new connection for two seconds


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that `share` of all values do not exceed; 0 for no values."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * int(share * 1000) // 1000) - 1)] if ordered else 0.0


def due_by(elapsed_s: float, rate_per_s: float) -> int:
    """Return how many messages are due `elapsed_s` after the beginning, the first at once."""
    return int(elapsed_s * rate_per_s) + 1


@dataclass
class Answers:
    """What a crowd saw; latencies in seconds."""

    latencies: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    closed: int = 0  # connections that the server ended

    def summary(self) -> str:
        """Median, p99 and worst in milliseconds."""
        p50, p99 = quantile(self.latencies, 0.5) * 1000, quantile(self.latencies, 0.99) * 1000
        worst = max(self.latencies, default=0.0) * 1000
        return f"{len(self.latencies):,} answers, p50 {p50:.0f} ms, p99 {p99:.0f} ms, worst {worst:.0f} ms"


class Caller(Socket):
    """A station that sends when told and notes when each answer came."""

    def __init__(self, identity: str, port: int, answers: Answers) -> None:
        super().__init__(identity, port)
        self._answers = answers
        self._due = 0.0
        self._number = 0
        self.idle = asyncio.Event()  # the last message has its answer
        self.idle.set()
        self.booted: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def answered(self, text: bytes) -> None:
        """Note the answer to what is outstanding."""
        if text.startswith(b'[3,"boot"'):
            self.booted.set_result(None)
        elif text.startswith(b"[3,"):
            self._answers.latencies.append(time.perf_counter() - self._due)
            self.idle.set()
        elif not text.startswith(b"[2,"):
            self._answers.refused.append(text[:120].decode(errors="replace"))

    def closed(self) -> None:
        """Count a connection that should have lasted."""
        self._answers.closed += 1

    def send(self, due: float) -> None:
        """Send the next MeterValues, which was due at `due` of the performance counter."""
        self._number += 1
        self._due = due
        self.idle.clear()
        self.write(meter_values(self._number))


class Flooder(Socket):
    """A station that writes as fast as its socket takes it and never waits for an answer."""

    def __init__(self, identity: str, port: int) -> None:
        super().__init__(identity, port)
        self._number = 0
        self._writable = asyncio.Event()
        self._writable.set()

    def pause_writing(self) -> None:
        """The socket is full."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """The socket takes more."""
        self._writable.set()

    async def flood(self) -> None:
        """Write for ever."""
        while True:
            await self._writable.wait()
            self._number += 1
            self.write(meter_values(self._number))
            await asyncio.sleep(0)


async def dial(number: int, port: int, answers: Answers) -> Caller:
    """Connect one station and wait for the upgrade."""
    make = partial(Caller, identity(number), port, answers)
    _, caller = await asyncio.get_running_loop().create_connection(make, "127.0.0.1", port)
    await caller.open
    return caller


async def gather(stations: int, port: int, answers: Answers) -> list[Caller]:
    """Connect all stations, a few at a time."""
    found: list[Caller] = []
    for first in range(0, stations, DIALLING):
        numbers = range(first, min(first + DIALLING, stations))
        found += await asyncio.gather(*(dial(number, port, answers) for number in numbers))
    return found


async def talk(callers: Sequence[Caller], *, rate_per_s: float, seconds: float) -> None:
    """Send at a steady rate, stations taking turns; then wait for the last answers."""
    began, sent = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - began) < seconds:
        while sent < due_by(elapsed, rate_per_s):
            caller = callers[sent % len(callers)]
            if not caller.idle.is_set():
                break  # its turn comes late, and counts from when it was due
            caller.send(began + sent / rate_per_s)
            sent += 1
        await asyncio.sleep(TICK_S)
    async with asyncio.timeout(PATIENCE_S):
        for caller in callers:
            await caller.idle.wait()


def end(callers: Sequence[Socket]) -> None:
    """Drop all connections."""
    for caller in callers:
        caller.close()


def _cores() -> int:
    """Keep this process to the last core; return the first, which is the server's."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    return cores[0]


def _begin(what: str, stations: int) -> int:
    """Say what is measured and where; return the server's core."""
    files = many_files()
    click.echo(f"{what}; {load_before().text}")
    if stations + 100 > files:
        raise click.ClickException(f"this process may open {files} files, {stations} stations need more")
    return _cores()


@click.command()
@click.option("--stations", default=10_000, show_default=True)
@click.option(
    "--rate", "rate_per_s", default=1500.0, show_default=True, help="MeterValues a second, over all."
)
@click.option("--seconds", default=30.0, show_default=True)
def soak(stations: int, rate_per_s: float, seconds: float) -> None:
    """Connected stations in one process: memory of each, and latency at a steady rate."""
    core = _begin(f"{stations:,} stations, {rate_per_s:g} MeterValues/s for {seconds:g} s", stations)
    with server("central", stations=stations, core=core) as (pid, port):
        asyncio.run(_soak(pid, port, stations, rate_per_s, seconds))


async def _soak(pid: int, port: int, stations: int, rate_per_s: float, seconds: float) -> None:
    answers = Answers()
    before = resident_kib(pid)
    callers = await gather(stations, port, answers)
    await asyncio.sleep(SETTLED_S)
    each = (resident_kib(pid) - before) / stations
    click.echo(f"connected, at rest: {each:.1f} KiB each (target <= 40)")
    cpu, began = cpu_s(pid), time.perf_counter()
    await talk(callers, rate_per_s=rate_per_s, seconds=seconds)
    cpu, elapsed = cpu_s(pid) - cpu, time.perf_counter() - began
    count = len(answers.latencies)
    click.echo(
        f"{answers.summary()} (target p99 <= 250 ms), {len(answers.refused)} refused, {answers.closed} closed"
    )
    click.echo(f"{count / elapsed:,.0f} answers/s, {cpu / max(1, count) * 1e6:.0f} us CPU each")
    each = (resident_kib(pid) - before) / stations
    click.echo(f"connected, after the work: {each:.1f} KiB each")
    end(callers)


@click.command()
@click.option("--stations", default=10_000, show_default=True)
def storm(stations: int) -> None:
    """All stations reconnect at the same moment and boot; every boot is committed before its answer."""
    core = _begin(f"{stations:,} stations at once", stations)
    with server("central", stations=stations, core=core) as (pid, port):
        asyncio.run(_storm(pid, port, stations))


async def _storm(pid: int, port: int, stations: int) -> None:
    answers, tries = Answers(), [0]
    cpu, began = cpu_s(pid), time.perf_counter()
    booted = await asyncio.gather(*(_reconnect(number, port, answers, tries) for number in range(stations)))
    elapsed, cpu = time.perf_counter() - began, cpu_s(pid) - cpu
    took = [at - began for at, _ in booted]
    click.echo(
        f"all booted after {elapsed:.1f} s (target <= 15), half after {quantile(took, 0.5):.1f} s; "
        f"{tries[0] - stations} attempts more than stations, {len(answers.refused)} answers refused, "
        f"{cpu / stations * 1e6:.0f} us CPU each"
    )
    end([caller for _, caller in booted])


async def _reconnect(number: int, port: int, answers: Answers, tries: list[int]) -> tuple[float, Caller]:
    """Dial until the boot is answered; a refused socket tries again after a second."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            tries[0] += 1
            try:
                caller = await dial(number, port, answers)
            except OSError:
                await asyncio.sleep(1)
                continue
            caller.write(BOOT)
            await caller.booted
            return time.perf_counter(), caller


@click.command()
@click.option("--stations", default=200, show_default=True, help="Stations that behave.")
@click.option("--rate", "rate_per_s", default=200.0, show_default=True, help="Their MeterValues a second.")
@click.option("--seconds", default=15.0, show_default=True, help="Length of each half.")
def hostile(stations: int, rate_per_s: float, seconds: float) -> None:
    """Latency of the others while one station sends as fast as it can; target: less than doubled."""
    what = f"{stations} stations, {rate_per_s:g} MeterValues/s, {seconds:g} s without and with a flood"
    core = _begin(what, stations)
    with server("central", stations=stations + 1, core=core) as (_, port):
        asyncio.run(_hostile(port, stations, rate_per_s, seconds))


async def _hostile(port: int, stations: int, rate_per_s: float, seconds: float) -> None:
    halves = (Answers(), Answers())
    callers = await gather(stations, port, halves[0])
    await asyncio.sleep(SETTLED_S)
    await talk(callers, rate_per_s=rate_per_s, seconds=seconds)
    end(callers)
    make = partial(Flooder, identity(stations), port)
    _, flooder = await asyncio.get_running_loop().create_connection(make, "127.0.0.1", port)
    await flooder.open
    callers = await gather(stations, port, halves[1])
    await asyncio.sleep(SETTLED_S)
    async with asyncio.TaskGroup() as tasks:
        flood = tasks.create_task(flooder.flood())
        await talk(callers, rate_per_s=rate_per_s, seconds=seconds)
        flood.cancel()
    end([*callers, flooder])
    before, during = (quantile(half.latencies, 0.99) for half in halves)
    click.echo(f"without: {halves[0].summary()}")
    click.echo(f"with:    {halves[1].summary()}")
    click.echo(f"p99 with / without: {during / before if before else 0:.2f} (target < 2)")
