"""`script/bench`: durable MeterValues against the stock `ocpp` package and a bare echo, in one run."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from dataclasses import dataclass
from functools import partial

import click

from bench import crowd
from bench.load import SIZE, Count, Station, identity
from bench.process import cpu_s, load_before, server

SERVERS = {
    "stock": "`ocpp` package, stores nothing",
    "echo": "bare websockets JSON echo",
    "durable": "ours: validated, stored, committed before the answer",
}
WARM_UP_S = 3  # the central system looks after a new connection for two seconds
TARGETS = (("stock", 6.0), ("echo", 0.6))  # DESIGN §7


@dataclass(frozen=True)
class Sample:
    """One round: answers per second, and the server's CPU time for each, in microseconds."""

    per_s: float
    cpu_us: float


async def measure(pid: int, port: int, *, stations: int, seconds: float) -> Sample:
    """Connect every station, let them send, and count what comes back after three seconds of warming up."""
    loop, count = asyncio.get_running_loop(), Count()
    protocols = []
    for number in range(stations):
        make = partial(Station, identity(number), port, count)
        _, station = await loop.create_connection(make, "127.0.0.1", port)
        await station.open
        protocols.append(station)
    for station in protocols:
        station.send()
    await asyncio.sleep(WARM_UP_S)
    answers, cpu, began = count.answers, cpu_s(pid), time.perf_counter()
    await asyncio.sleep(seconds)
    answers, cpu, elapsed = count.answers - answers, cpu_s(pid) - cpu, time.perf_counter() - began
    for station in protocols:
        station.close()
    if count.refused or not answers:
        raise click.ClickException(f"the server refused: {count.refused[:3] or 'no answer'}")
    return Sample(answers / elapsed, cpu / answers * 1e6)


def rounds(*, stations: int, seconds: float, repeat: int) -> dict[str, list[Sample]]:
    """Measure each server `repeat` times, taking turns so that a busy moment falls on all of them."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    found: dict[str, list[Sample]] = {name: [] for name in SERVERS}
    for turn in range(repeat):
        for name in SERVERS:
            click.echo(f"\rround {turn + 1} of {repeat}: {name:8}", err=True, nl=False)
            with server(name, stations=stations, core=cores[0]) as (pid, port):
                found[name].append(asyncio.run(measure(pid, port, stations=stations, seconds=seconds)))
    click.echo("\r" + " " * 40 + "\r", err=True, nl=False)
    return found


def report(found: dict[str, list[Sample]], *, judge: bool) -> None:
    """Print the table; both ratios, because messages/s also tell how many others want the machine."""
    speed = {name: statistics.median(sample.per_s for sample in found[name]) for name in found}
    cost = {name: statistics.median(sample.cpu_us for sample in found[name]) for name in found}
    click.echo(f"{'':10}{'messages/s':>12}{'CPU us each':>13}  (medians; server on one core)")
    for name, text in SERVERS.items():
        click.echo(f"{name:10}{speed[name]:12,.0f}{cost[name]:13.0f}  {text}")
    for name, target in TARGETS:
        ratio, by_cpu = speed["durable"] / speed[name], cost[name] / cost["durable"]
        verdict = ("holds" if min(ratio, by_cpu) >= target else "MISSED") if judge else "busy, not judged"
        click.echo(f"durable / {name:6} {ratio:5.2f}, by CPU {by_cpu:5.2f}  target >= {target}: {verdict}")


@click.group(invoke_without_command=True)
@click.pass_context
@click.option(
    "--stations", default=200, show_default=True, help="Connected stations, one CALL each in flight."
)
@click.option("--seconds", default=6.0, show_default=True, help="Length of one measurement.")
@click.option("--rounds", "repeat", default=3, show_default=True, help="Measurements of each server.")
def main(context: click.Context, stations: int, seconds: float, repeat: int) -> None:
    """Measure this machine, now: without a command, durable MeterValues against two yardsticks."""
    if context.invoked_subcommand is not None:
        return
    busy = load_before()
    click.echo(f"{SIZE}-byte MeterValues, {stations} stations, {repeat} rounds of {seconds:g} s, {busy.text}")
    report(rounds(stations=stations, seconds=seconds, repeat=repeat), judge=not busy.is_busy)


main.add_command(crowd.soak)
main.add_command(crowd.storm)
main.add_command(crowd.hostile)


if __name__ == "__main__":
    main()
