"""Key actions by script: ``at 10 plug 1 zoe-52 soc=40`` and the like.

Without ``at`` a line is due at once (useful on standard input). Times are emulated seconds from the start
of the script, ``#`` begins a comment. Actions: ``plug EVSE [MODEL] [soc=PERCENT]``, ``unplug EVSE``,
``badge EVSE TOKEN``, ``code EVSE CODE``, ``drive EVSE WH``, ``fault EVSE [ERROR]``, ``repair EVSE``,
``offline [SECONDS]``, ``online``, ``drop``, ``reboot``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from chargepoint_emulator.authorisation import IdToken, id_token
from chargepoint_emulator.cars import MODELS
from chargepoint_emulator.emulator import Emulator


class ScriptError(ValueError):
    """A line that cannot be understood; the text names the line and why."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One key action, ``at_s`` emulated seconds after the start (None: at once)."""

    action: str
    words: tuple[str, ...] = ()
    options: dict[str, str] = field(default_factory=dict)
    at_s: float | None = None


def parse_line(line: str, *, number: int = 1) -> Step | None:
    """Return the step of a line, None for an empty one; raises ScriptError."""
    words = line.split("#", 1)[0].split()
    if not words:
        return None
    at_s = None
    if words[0] == "at":
        at_s, words = _time(words, number), words[2:]
    if not words or words[0] not in _ACTIONS:
        raise ScriptError(f"line {number}: unknown action {words[0] if words else '(none)'!r}")
    options = dict(word.split("=", 1) for word in words[1:] if "=" in word)
    step = Step(
        action=words[0], words=tuple(w for w in words[1:] if "=" not in w), options=options, at_s=at_s
    )
    _check(step, number)
    return step


def _time(words: list[str], number: int) -> float:
    try:
        return float(words[1])
    except (IndexError, ValueError) as error:
        raise ScriptError(f"line {number}: 'at' needs a number of seconds") from error


def _check(step: Step, number: int) -> None:
    least, most, _ = _ACTIONS[step.action]
    if not least <= len(step.words) <= most:
        raise ScriptError(f"line {number}: {step.action} takes {least} to {most} words")
    if least and not step.words[0].isdigit():
        raise ScriptError(f"line {number}: {step.words[0]!r} is not the number of an EVSE")
    if "soc" in step.options and not _is_number(step.options["soc"]):
        raise ScriptError(f"line {number}: soc={step.options['soc']!r} is not a percentage")
    amount = _AMOUNTS.get(step.action, len(step.words))
    if amount < len(step.words) and not _is_number(step.words[amount]):
        raise ScriptError(f"line {number}: {step.words[amount]!r} is not a number")
    if step.action == "plug" and len(step.words) > 1 and step.words[1] not in MODELS:
        raise ScriptError(f"line {number}: unknown car {step.words[1]!r}; known: {', '.join(MODELS)}")


def _is_number(word: str) -> bool:
    return word.replace(".", "", 1).isdecimal()


_AMOUNTS = {"drive": 1, "offline": 0}  # which word of an action must be a number


def parse(lines: Iterable[str]) -> list[Step]:
    """Return the steps of a script in the order of their time."""
    steps = [step for number, line in enumerate(lines, 1) if (step := parse_line(line, number=number))]
    return sorted(steps, key=lambda step: step.at_s or 0.0)


async def run(steps: Iterable[Step], emulator: Emulator) -> None:
    """Play a script on an emulator; times count from now."""
    start_s = emulator.clock.uptime_s()
    for step in steps:
        if step.at_s is not None:
            await emulator.clock.wait_until(start_s + step.at_s)
        await perform(step, emulator)


async def perform(step: Step, emulator: Emulator) -> None:
    """Press one key; one for an EVSE this station does not have is only reported."""
    if _ACTIONS[step.action][0] and _evse(step) not in emulator.evses:
        emulator.station.report("no_such_evse", evse=_evse(step))
        return
    await _ACTIONS[step.action][2](emulator, step)


async def _plug(emulator: Emulator, step: Step) -> None:
    soc = float(step.options["soc"]) if "soc" in step.options else None
    await emulator.plug(_evse(step), step.words[1] if len(step.words) > 1 else None, soc=soc)


def _evse(step: Step) -> int:
    return int(step.words[0])


async def _drive(emulator: Emulator, step: Step) -> None:
    emulator.drive(_evse(step), float(step.words[1]))


async def _reboot(emulator: Emulator, _: Step) -> None:
    await emulator.reboot()


_Run = Callable[[Emulator, Step], Awaitable[object]]
_ACTIONS: dict[str, tuple[int, int, _Run]] = {
    "plug": (1, 2, _plug),
    "unplug": (1, 1, lambda cp, step: cp.unplug(_evse(step))),
    "badge": (2, 2, lambda cp, step: cp.present(_evse(step), id_token(step.words[1]))),
    "code": (2, 2, lambda cp, step: cp.present(_evse(step), IdToken(value=step.words[1], kind="KeyCode"))),
    "drive": (2, 2, _drive),
    "fault": (1, 2, lambda cp, step: cp.fault(_evse(step), *step.words[1:])),
    "repair": (1, 1, lambda cp, step: cp.repair(_evse(step))),
    "offline": (0, 1, lambda cp, step: cp.go_offline(*(float(word) for word in step.words))),
    "online": (0, 0, lambda cp, _: cp.go_online()),
    "drop": (0, 0, lambda cp, _: cp.drop_connection()),
    "reboot": (0, 0, _reboot),
}
