from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from chargepoint_emulator.cli import main
from chargepoint_emulator.script import ScriptError, Step, parse, parse_line


def test_script_is_read_in_the_order_of_its_times() -> None:
    text = """
        # a day
        at 600 unplug 1
        at 10 plug 1 zoe-52 soc=40   # comes back
        at 20 badge 1 04A1B2C3
        at 700 offline 60
    """
    assert parse(text.splitlines()) == [
        Step(at_s=10, action="plug", words=("1", "zoe-52"), options={"soc": "40"}),
        Step(at_s=20, action="badge", words=("1", "04A1B2C3")),
        Step(at_s=600, action="unplug", words=("1",)),
        Step(at_s=700, action="offline", words=("60",)),
    ]


def test_line_without_a_time_is_due_at_once() -> None:
    assert parse_line("code 1 482913") == Step(action="code", words=("1", "482913"))
    assert parse_line("   # nothing") is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("dance 1", "line 7: unknown action 'dance'"),
        ("at", "line 7: 'at' needs a number of seconds"),
        ("at noon plug 1", "line 7: 'at' needs a number of seconds"),
        ("at 5", "line 7: unknown action '(none)'"),
        ("plug", "line 7: plug takes 1 to 2 words"),
        ("plug one", "line 7: 'one' is not the number of an EVSE"),
        ("badge 1", "line 7: badge takes 2 to 2 words"),
        ("plug 1 soc=much", "line 7: soc='much' is not a percentage"),
        ("drive 1 far", "line 7: 'far' is not a number"),
        ("offline long", "line 7: 'long' is not a number"),
    ],
)
def test_line_that_cannot_be_understood_says_why(line: str, message: str) -> None:
    with pytest.raises(ScriptError) as caught:
        parse_line(line, number=7)
    assert str(caught.value) == message


def test_unknown_car_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ScriptError, match="unknown car 'tesla'; known: zoe-52"):
        parse_line("plug 1 tesla")


def test_command_line_refuses_a_broken_script(tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_text("jump 1\n", encoding="utf-8")
    arguments = ["--url", "ws://x", "--identity", "A", "--script", str(tmp_path / "bad.txt")]
    found = CliRunner().invoke(main, arguments)
    assert (found.exit_code, found.stderr) == (1, "Error: line 1: unknown action 'jump'\n")


def test_help_names_every_option_of_the_interface() -> None:
    found = CliRunner().invoke(main, ["--help"])
    options = "--url --identity --ocpp --password --evses --kind --car --personality --speed --count --script"
    for option in [*options.split(), "--meter-interval", "--json"]:
        assert option in found.output
    assert found.exit_code == 0
