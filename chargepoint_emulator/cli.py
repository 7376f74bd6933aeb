"""The command ``chargepoint-emulator``."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from chargepoint_emulator import script
from chargepoint_emulator.cars import MODELS
from chargepoint_emulator.emulator import DIALECTS, Emulator
from chargepoint_emulator.kinds import KINDS
from chargepoint_emulator.personalities import PERSONALITIES
from chargepoint_emulator.raw import converse
from chargepoint_emulator.station import Reported
from chargepoint_emulator.wire import stamp

STARTS_PER_SECOND = 200.0


def _list_personalities(context: click.Context, _option: click.Parameter, wanted: bool) -> None:  # noqa: FBT001
    if wanted:
        width = max(map(len, PERSONALITIES))
        for one in PERSONALITIES.values():
            click.echo(f"{one.name:{width}}  {one.help}")
        context.exit()


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--url", required=True, help="Central system, for example ws://localhost:9000/ocpp.")
@click.option(
    "--identity", required=True, help="Identity of the charge point; with --count, -0001... follows."
)
@click.option("--ocpp", type=click.Choice(sorted(DIALECTS)), default="1.6", show_default=True)
@click.option("--password", envvar="CHARGEPOINT_PASSWORD", help="Password for Basic authentication.")
@click.option(
    "--evses", type=click.IntRange(1, 64), default=1, show_default=True, help="Places to charge at."
)
@click.option("--kind", type=click.Choice(sorted(KINDS)), default="ac22", show_default=True)
@click.option("--car", type=click.Choice(sorted(MODELS)), default="zoe-52", show_default=True)
@click.option(
    "--personality",
    type=click.Choice(sorted(PERSONALITIES)),
    multiple=True,
    metavar="NAME",
    help="A way of misbehaving; given several times the faults add up.  [default: good]",
)
@click.option(
    "--list-personalities",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_personalities,
    help="Print the names and end.",
)
@click.option(
    "--raw", is_flag=True, help="Be no station: send lines of standard input as they are, print what comes."
)
@click.option("--speed", type=click.FloatRange(min=0.1), default=1.0, show_default=True)
@click.option(
    "--count", type=click.IntRange(1, 20_000), default=1, show_default=True, help="Stations to run."
)
@click.option("--script", "script_file", help="File of key actions, or - for standard input.")
@click.option("--meter-interval", type=click.IntRange(0), default=60, show_default=True, help="Seconds.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line per event.")
def main(*, count: int, script_file: str | None, as_json: bool, raw: bool, **options: Any) -> None:
    """Emulate charge points of OCPP 1.6J or 2.0.1 against any central system."""
    if raw:
        with suppress(KeyboardInterrupt):
            asyncio.run(converse(options["url"], options["identity"], options["ocpp"], options["password"]))
        return
    steps = _read_script(script_file)
    show = _show_json if as_json else _show_text
    identity = options.pop("identity")
    identities = [identity] if count == 1 else [f"{identity}-{number:04d}" for number in range(1, count + 1)]
    meter_interval_s = options.pop("meter_interval")
    emulators = [
        Emulator(identity=one, meter_interval_s=meter_interval_s, on_event=show, **options)
        for one in identities
    ]
    with suppress(KeyboardInterrupt):
        asyncio.run(_run(emulators, steps, listen=script_file == "-"))


def _read_script(script_file: str | None) -> list[script.Step]:
    if script_file in {None, "-"}:
        return []
    try:
        return script.parse(Path(str(script_file)).read_text(encoding="utf-8").splitlines())
    except (OSError, script.ScriptError) as error:
        raise click.ClickException(str(error)) from error


async def _run(emulators: list[Emulator], steps: list[script.Step], *, listen: bool) -> None:
    async with asyncio.TaskGroup() as tasks:
        if listen:
            tasks.create_task(_listen(emulators))
        for emulator in emulators:
            tasks.create_task(emulator.run())
            tasks.create_task(script.run(steps, emulator))
            if len(emulators) > 1:
                await asyncio.sleep(1 / STARTS_PER_SECOND)


async def _listen(emulators: list[Emulator]) -> None:
    """Play lines from standard input as they come, on every emulator."""
    lines: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    threading.Thread(target=_read_lines, args=(loop, lines.put_nowait), daemon=True).start()
    async with asyncio.TaskGroup() as tasks:
        while True:
            step = _understood(await lines.get())
            if step:
                for emulator in emulators:
                    tasks.create_task(script.run([step], emulator))


def _read_lines(loop: asyncio.AbstractEventLoop, put: Callable[[str], None]) -> None:
    for line in sys.stdin:
        loop.call_soon_threadsafe(put, line)


def _understood(line: str) -> script.Step | None:
    try:
        return script.parse_line(line)
    except script.ScriptError as error:
        click.echo(str(error), err=True)
        return None


def _show_json(identity: str, reported: Reported) -> None:
    line = {"at": stamp(reported.at), "identity": identity, "event": reported.name, **reported.facts}
    print(json.dumps(line), flush=True)


def _show_text(identity: str, reported: Reported) -> None:
    facts = " ".join(f"{name}={value}" for name, value in reported.facts.items())
    print(f"{stamp(reported.at)} {identity} {reported.name} {facts}".rstrip(), flush=True)
