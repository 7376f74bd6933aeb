"""The command as an operator meets it: exit 0, 1 with a sentence on stderr, 2 for wrong usage."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sqlite3
import ssl
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click
import httpx2
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from supervision import __version__
from supervision.cli import main
from supervision.store.db import driver_url
from supervision.store.migrate import head
from supervision.web.api.openapi import document as openapi_document
from tests.serving import document, served


@pytest.fixture
def place(tmp_path: Path, sqlite_url: str) -> list[str]:
    """Return the options that name a migrated database of this test's own."""
    return ["--database", sqlite_url, "--data", str(tmp_path)]


@pytest.fixture(autouse=True)
def _no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("SUPERVISION_"):
            monkeypatch.delenv(name)


def run(*args: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(main, list(args), input=stdin)


def refused(result: Result) -> str:
    """Return the sentence of a refusal: on stderr, one line, nothing on stdout, exit code 1."""
    assert (result.exit_code, result.stdout) == (1, ""), result.output
    assert result.stderr.count("\n") == 1
    assert isinstance(result.exception, SystemExit)
    return result.stderr.strip()


def commands(group: click.Group = main, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*before, name))
        else:
            yield (*before, name)


def test_the_commands_are_those_of_the_documentation() -> None:
    promised = "serve demo migrate import plan quote settle openapi completion"
    groups = {
        ("token", "create"),
        ("charging-station", "reset"),
        ("ca", "init"),
        ("ca", "root"),
        ("ca", "server"),
    }
    assert {*commands()} >= {(name,) for name in promised.split()} | groups


@pytest.mark.parametrize("command", [(), ("token",), *commands()], ids=" ".join)
def test_every_command_explains_itself(command: tuple[str, ...]) -> None:
    for option in ("--help", "-h"):
        result = run(*command, option)
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout.startswith("Usage: ")
        assert len(result.stdout.splitlines()) > 4


@pytest.mark.parametrize(
    "args",
    [
        ("dance",),
        ("serve", "--colour", "green"),
        ("serve", "--config", "/no/such/file.toml"),
        ("import",),
        ("import", "/no/such/file.json"),
        ("token", "create", "--email", "a@example.org"),
        ("token", "create", "--email", "a@example.org", "--scope", "emperor"),
        ("token", "create", "--scope", "admin"),
        ("plan",),
        ("completion", "tcsh"),
        ("demo", "--speed", "fast"),
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_2_with_the_usage(args: tuple[str, ...]) -> None:
    result = run(*args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Usage: " in result.stderr


def test_the_version_is_told() -> None:
    assert run("--version").stdout == f"supervision, version {__version__}\n"


# --- migrate, import, token -------------------------------------------------------------------------


def test_migrate_twice_is_once(tmp_path: Path) -> None:
    options = ("--data", str(tmp_path / "new" / "place"))
    for _ in range(2):
        result = run("migrate", *options)
        assert (result.exit_code, result.stdout) == (0, f"schema {head()}\n")
    assert (tmp_path / "new" / "place" / "supervision.db").exists()


def test_import_from_stdin_or_a_file_says_what_it_did(place: list[str], tmp_path: Path) -> None:
    words = json.dumps(document())
    first = run("import", "-", *place, stdin=words)
    assert (first.exit_code, first.stdout) == (0, "created 18, updated 0, unchanged 0\n")
    (tmp_path / "service.json").write_text(words, encoding="utf-8")
    again = run("import", str(tmp_path / "service.json"), *place)
    assert (again.exit_code, again.stdout) == (0, "created 0, updated 0, unchanged 18\n")


@pytest.mark.parametrize(
    ("words", "start"),
    [
        ("", "$: not JSON"),
        ("[" * 100_000, "$: not JSON"),
        ("[]", "$: an object is wanted"),
        ('{"colours": []}', "$.colours: "),
        ('{"organisations": [{"id": "x"}]}', "$.organisations[0].name: "),
        ('{"stations": [{"id": "s", "community": "nowhere"}]}', "$.stations[0]."),
    ],
)
def test_a_broken_import_names_the_field(place: list[str], words: str, start: str) -> None:
    assert refused(run("import", "-", *place, stdin=words)).startswith(start)


def test_a_file_that_is_no_text_is_refused(place: list[str], tmp_path: Path) -> None:
    (tmp_path / "picture.json").write_bytes(b"\x89PNG\xff\xfe")
    for command in (("import", *place), ("plan",), ("quote",), ("settle",)):
        sentence = refused(run(command[0], str(tmp_path / "picture.json"), *command[1:]))
        assert "not UTF-8" in sentence


def test_a_token_is_the_last_word_and_works_once_created(place: list[str]) -> None:
    run("import", "-", *place, stdin=json.dumps(document()))
    made = [run("token", "create", "--email", "M1@Example.org", "--scope", "admin", *place) for _ in range(2)]
    tokens = [result.stdout.split()[-1] for result in made]
    assert [result.exit_code for result in made] == [0, 0]
    assert len(set(tokens)) == 2
    assert min(map(len, tokens)) >= 43  # 256 bits


def test_a_token_for_nobody_is_refused(place: list[str]) -> None:
    sentence = refused(run("token", "create", "--email", "no@example.org", "--scope", "admin", *place))
    assert sentence == "nobody has the mail address no@example.org"


# --- pure commands ----------------------------------------------------------------------------------

NOON = "2026-11-21T12:00:00+01:00"
PROBLEM = {
    "now": NOON,
    "slot_min": 15,
    "grid": {"limit_a": [32, 32, 32], "voltage_v": 230, "prices": [{"from": NOON, "eur_per_kwh": 0.2}]},
    "evses": [{"id": "e1", "phases": [1, 2, 3], "max_a": 32, "min_a": 6}],
    "cars": [],
}
QUOTE = {
    "tariff": {"hour_cents": 600, "km_cents": 0, "booking_fee_cents": 100, "late_per_half_hour_cents": 1000},
    "trip": {"start_at": NOON, "end_at": "2026-11-21T14:00:00+01:00"},
}


def test_plan_and_quote_read_stdin() -> None:
    planned, priced = (
        run(name, "-", stdin=json.dumps(given)) for name, given in (("plan", PROBLEM), ("quote", QUOTE))
    )
    assert (planned.exit_code, priced.exit_code) == (0, 0)
    assert json.loads(planned.stdout)["windows"] == []
    assert json.loads(priced.stdout)["total_cents"] == 1300


@pytest.mark.parametrize("command", ["plan", "quote", "settle"])
@pytest.mark.parametrize("words", ["", "{", "[]", "null", '{"colour": 1}', '{"a": NaN}', "[" * 100_000])
def test_a_pure_command_refuses_nonsense_with_its_path(command: str, words: str) -> None:
    name = {"plan": "problem", "quote": "quote", "settle": "period"}[command]
    assert refused(run(command, "-", stdin=words)).startswith(f"{name}: ")


# --- describing -------------------------------------------------------------------------------------


def test_openapi_prints_the_description() -> None:
    assert json.loads(run("openapi").stdout) == openapi_document()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell: str) -> None:
    result = run("completion", shell)
    assert (result.exit_code, "_SUPERVISION_COMPLETE" in result.stdout) == (0, True)


# --- a database or a machine that is not as it should be --------------------------------------------


async def stamp(url: str, revision: str) -> None:
    engine = create_async_engine(driver_url(url))
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = :to"), {"to": revision})
    await engine.dispose()


USING = [("import", "-"), ("token", "create", "--email", "a@example.org", "--scope", "admin"), ("serve",)]


@pytest.mark.parametrize("command", USING, ids=lambda command: str(command[0]))
@pytest.mark.parametrize(
    ("revision", "said"),
    [
        ("0001", "database: schema 0001 is old: back up, then run `supervision migrate`"),
        ("9999", "database: schema 9999 was made by a newer program: run that one"),
    ],
    ids=["older", "newer"],
)
def test_another_schema_is_refused_with_the_way_out(
    place: list[str], sqlite_url: str, command: tuple[str, ...], revision: str, said: str
) -> None:
    asyncio.run(stamp(sqlite_url, revision))
    ports = ["--http", "127.0.0.1:0", "--ocpp", "127.0.0.1:0"] if command == ("serve",) else []
    sentence = refused(run(*command, *place, *ports, stdin="{}"))
    assert sentence == said


BROKEN_PLACES = [
    "mysql://localhost/x",
    "nonsense",
    "sqlite:////no/such/directory/x.db",
    "postgresql://127.0.0.1:1/x",
]


@pytest.mark.parametrize("url", BROKEN_PLACES)
@pytest.mark.parametrize("command", [*USING, ("migrate",)], ids=lambda command: str(command[0]))
def test_a_database_out_of_reach_is_told_in_a_sentence(
    tmp_path: Path, url: str, command: tuple[str, ...]
) -> None:
    ports = ["--http", "127.0.0.1:0", "--ocpp", "127.0.0.1:0"] if command == ("serve",) else []
    assert refused(run(*command, "--database", url, "--data", str(tmp_path), *ports, stdin="{}"))


def test_a_file_that_is_no_database_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"this is a letter to grandmother" * 100)
    url = f"sqlite:///{tmp_path / 'x.db'}"
    assert refused(run("migrate", "--database", url, "--data", str(tmp_path))).startswith("database: ")


@pytest.mark.parametrize("command", [*USING, ("migrate",)], ids=lambda command: str(command[0]))
def test_a_data_directory_that_cannot_be_is_told_in_a_sentence(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    ports = ["--http", "127.0.0.1:0", "--ocpp", "127.0.0.1:0"] if command == ("serve",) else []
    sentence = refused(run(*command, "--data", str(tmp_path / "file" / "below"), *ports, stdin="{}"))
    assert "file" in sentence


@pytest.mark.parametrize(
    ("toml", "word"),
    [
        ("colour = 'green'", "colour: unknown setting"),
        ("http = ", "not TOML"),
        ("\x01", "not TOML"),
        ("boot_interval_s = 'soon'", "boot_interval_s: expected a whole number"),
        ("log_level = 'LOUD'", "log_level: expected one of DEBUG"),
        ("http = 'nowhere'", "http: expected HOST:PORT"),
        ("http = '127.0.0.1:99999'", "http: expected HOST:PORT"),
        ("http = '203.0.113.1:0'", "http: cannot listen on 203.0.113.1:0"),
        ("single_port = 'perhaps'", "single_port: expected bool"),
    ],
)
def test_a_broken_setting_is_named(place: list[str], tmp_path: Path, toml: str, word: str) -> None:
    config = tmp_path / "supervision.toml"
    config.write_text(toml, encoding="utf-8")
    assert word in refused(run("serve", *place, "--ocpp", "127.0.0.1:0", "--config", str(config)))


def test_settings_of_a_file_hold_for_every_command(tmp_path: Path) -> None:
    config = tmp_path / "supervision.toml"
    config.write_text(f'database = "sqlite:///{tmp_path / "of-the-file.db"}"', encoding="utf-8")
    assert run("migrate", "--config", str(config), "--data", str(tmp_path)).exit_code == 0
    assert (tmp_path / "of-the-file.db").exists()


def test_a_port_in_use_is_told_in_a_sentence(place: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for name, other in (("http", "ocpp"), ("ocpp", "http")):
            args = ("serve", *place, f"--{name}", address, f"--{other}", "127.0.0.1:0")
            assert refused(run(*args)).startswith(f"{name}: cannot listen on {address}")


def test_exchanged_station_is_set_as_a_new_one(place: list[str], sqlite_url: str) -> None:
    assert run("import", *place, "-", stdin=json.dumps(document())).exit_code == 0
    reset = ("charging-station", "reset", *place)
    assert run(*reset, "CP16", "--profile", "3").exit_code == 0
    assert stored_security(sqlite_url) == (3, None)
    new = run(*reset, "CP16", "--profile", "1", "--password-file", "-", stdin="0123456789abcdef\n")
    assert (new.exit_code, new.stdout) == (0, "")
    profile, hashed = stored_security(sqlite_url)
    assert (profile, len(hashed or b"")) == (1, 32)
    assert refused(run(*reset, "CP16", "--profile", "1")) == "password missing: CP16"
    short = run(*reset, "CP16", "--profile", "1", "--password-file", "-", stdin="short\n")
    assert refused(short) == "weak password: CP16"
    assert refused(run(*reset, "ZZ", "--profile", "0")) == "unknown charging station: ZZ"


def stored_security(sqlite_url: str) -> tuple[int, bytes | None]:
    """Read profile and password hash of CP16."""
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as connection:
        query = "SELECT security_profile, password_hash FROM charging_stations WHERE identity = 'CP16'"
        found: tuple[int, bytes | None] = connection.execute(query).fetchone()
        return found


# --- the certificate authority ------------------------------------------------------------------------


def test_authority_is_made_once_and_for_its_owner_alone(place: list[str], tmp_path: Path) -> None:
    file = tmp_path / "station-ca.pem"
    assert run("ca", "init", *place).stdout == f"{file}\n"
    made = file.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (run("ca", "init", *place).exit_code, file.read_bytes()) == (0, made)
    root = run("ca", "root", *place).stdout
    assert root.startswith("-----BEGIN CERTIFICATE-----")
    assert "PRIVATE KEY" not in root
    assert root in made.decode()


def test_damaged_authority_is_told_in_a_sentence(place: list[str], tmp_path: Path) -> None:
    (tmp_path / "station-ca.pem").write_text("nothing")
    wanted = f"{tmp_path}/station-ca.pem: a private key and its certificate in PEM are wanted"
    assert refused(run("ca", "root", *place)) == wanted


HANDSHAKE = (
    b"GET /ocpp/NOBODY HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def test_server_certificates_are_made_and_serve_stations(place: list[str], tmp_path: Path) -> None:
    printed = run("ca", "server", "--host", "localhost", "--host", "127.0.0.1", *place).stdout
    for name in ("ocpp-ecdsa.pem", "ocpp-rsa.pem"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = tmp_path / "s.toml"
    config.write_text(f'ocpp_tls = "127.0.0.1:{port}"\n{printed}')
    trust = ssl.create_default_context(cadata=run("ca", "root", *place).stdout)
    with served(*place, "--config", str(config)) as (process, _ready):
        with (
            socket.create_connection(("127.0.0.1", port)) as plain,
            trust.wrap_socket(plain, server_hostname="localhost") as opened,
        ):
            opened.sendall(HANDSHAKE)
            assert opened.recv(12) == b"HTTP/1.1 401"
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate()
    assert process.returncode == 0
    assert "PRIVATE KEY" not in err
    assert {"ocpp.tls_listens"} <= {json.loads(line)["event"] for line in err.splitlines()}


def test_port_with_tls_wants_a_certificate(place: list[str], tmp_path: Path) -> None:
    config = tmp_path / "s.toml"
    config.write_text('ocpp_tls = "127.0.0.1:0"\n')
    result = run("serve", "--http", "127.0.0.1:0", "--ocpp", "127.0.0.1:0", "--config", str(config), *place)
    assert refused(result) == "ocpp_tls: ocpp_tls_ecdsa or ocpp_tls_rsa is wanted, best both"


# --- the process ------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("ports", [(), ("--single-port",)], ids=["two ports", "one port"])
def test_serve_says_when_it_is_ready_and_stops_when_told(
    place: list[str], ports: tuple[str, ...], number: int
) -> None:
    with served(*place, *ports) as (process, ready):
        assert ready == {"event": "ready", "http": ready["http"], "ocpp": ready["ocpp"]}
        assert ready["ocpp"].endswith("/ocpp")
        for path in ("/healthz", "/readyz", "/metrics", "/api/v1/openapi.json"):
            assert httpx2.get(ready["http"] + path).status_code == 200
        process.send_signal(number)
        out, err = process.communicate()
        assert (process.returncode, out) == (0, "")
        assert "process.stopping" in [json.loads(line)["event"] for line in err.splitlines()]
        assert "Traceback" not in err
