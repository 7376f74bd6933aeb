from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from supervision.kernel.errors import FieldError
from supervision.settings import Settings, describe, host_port, load

NAMES = [item.name for item in fields(Settings)]


def written(path: Path, text: str) -> Path:
    """Write a configuration file."""
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_hold_without_file_and_environment() -> None:
    assert load(environ={}) == Settings()


def test_every_setting_is_described_once() -> None:
    assert [name for name, _, _ in describe()] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_is_read_from_the_environment(name: str) -> None:
    default = getattr(Settings(), name)
    value, text = {bool: (True, "true"), int: (77, "77"), str: ("x", "x")}[type(default)]
    assert getattr(load(environ={f"SUPERVISION_{name.upper()}": text}), name) == value


def test_command_line_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    config = written(tmp_path / "s.toml", 'http = "file:1"\nocpp = "file:2"\ndata = "file"\n')
    environ = {"SUPERVISION_OCPP": "environment:2", "SUPERVISION_DATA": "environment"}
    settings = load(config=config, environ=environ, data="given", log_level=None)
    assert (settings.http, settings.ocpp, settings.data) == ("file:1", "environment:2", "given")
    assert settings.log_level == Settings().log_level


def test_other_variables_are_left_alone() -> None:
    assert load(environ={"SUPERVISION_UNHEARD": "x", "HTTP": "y"}) == Settings()


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("unheard = 1", "unheard"),
        ('boot_interval_s = "soon"', "boot_interval_s"),
        ('single_port = "perhaps"', "single_port"),
        ("boot_interval_s = 1.5", "boot_interval_s"),
    ],
)
def test_wrong_setting_in_the_file_is_named(text: str, field: str, tmp_path: Path) -> None:
    config = written(tmp_path / "s.toml", text)
    with pytest.raises(FieldError, match=field):
        load(config=config, environ={})


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", True), ("yes", True), ("TRUE", True), ("0", False), ("no", False), ("False", False)],
)
def test_switch_takes_the_usual_words(text: str, value: bool) -> None:
    assert load(environ={"SUPERVISION_SINGLE_PORT": text}).single_port is value


def test_database_is_a_file_in_the_data_directory_unless_named() -> None:
    assert load(environ={}, data="/srv/x").database_url == "sqlite:////srv/x/supervision.db"
    assert load(environ={}, database="postgresql://h/d").database_url == "postgresql://h/d"


@pytest.mark.parametrize(
    ("address", "split"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("[::1]:0", ("::1", 0)),
        (":9000", ("127.0.0.1", 9000)),
        ("cars.example.org:65535", ("cars.example.org", 65535)),
    ],
)
def test_address_is_split(address: str, split: tuple[str, int]) -> None:
    assert host_port("http", address) == split


@pytest.mark.parametrize(
    "address", ["", "8080", "localhost", "localhost:", "localhost:http", "h:65536", "h:-1"]
)
def test_address_without_a_port_is_refused(address: str) -> None:
    with pytest.raises(FieldError, match="ocpp"):
        host_port("ocpp", address)


def test_settings_cannot_be_changed() -> None:
    settings: Any = Settings()
    with pytest.raises(AttributeError):
        settings.http = "x"
