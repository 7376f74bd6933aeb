"""The `supervision` command. Exit 0 done, 1 refused or failed (the reason on stderr), 2 wrong usage."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TextIO, TypeVar

import click
from click.shell_completion import get_completion_class

from supervision import __version__
from supervision.clock import SystemClock
from supervision.kernel.errors import FieldError, Refused
from supervision.log import mask
from supervision.settings import Settings, load

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


def _fail(message: str) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(1)


def _storage(command: F) -> F:
    command = click.option(
        "--config",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="TOML file with settings.",
        metavar="FILE",
        default=None,
    )(command)
    command = click.option(
        "--data", envvar="SUPERVISION_DATA", help="Data directory.", metavar="DIR", default=None
    )(command)
    return click.option(
        "--database",
        envvar="SUPERVISION_DATABASE",
        help="sqlite:///PATH or postgresql://...",
        metavar="URL",
        default=None,
    )(command)


def _settings(config: Path | None = None, **given: Any) -> Settings:
    with _sentences():
        settings = load(config=config, **given)
        _check_place(settings.database)
        if settings.log_level.upper() not in LEVELS:
            raise FieldError("log_level", f"expected one of {', '.join(LEVELS)}")
        return settings


def _check_place(database: str) -> None:
    kind, slashes, path = database.partition(":///")
    if database and not database.startswith(("sqlite:///", "postgresql://")):
        raise FieldError("database", "expected sqlite:///PATH or postgresql://...")
    if kind == "sqlite" and slashes and not Path(path).parent.is_dir():
        raise FieldError("database", f"there is no directory {Path(path).parent}")


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run a use case."""
    with _sentences():
        return asyncio.run(work)


@contextmanager
def _sentences() -> Iterator[None]:
    """What is refused, or broken outside the program, becomes one line on stderr and exit code 1."""
    try:
        yield
    except (FieldError, OSError, UnicodeDecodeError) as error:
        _fail(str(error))
    except Exception as error:
        if (sentence := _of_database(error)) is None:
            raise
        _fail(sentence)


def _of_database(error: Exception) -> str | None:
    """Return what the database said, None when the error is a bug of ours."""
    from alembic.util import CommandError
    from sqlalchemy.exc import ArgumentError, DBAPIError

    from supervision.store.db import StoreUnavailableError

    driver = error.orig if isinstance(error, DBAPIError) else error
    ours = isinstance(error, DBAPIError | ArgumentError | CommandError | StoreUnavailableError)
    if not ours and not type(error).__module__.startswith("asyncpg"):
        return None
    return f"database: {mask(str(driver))}".partition("\n")[0]


def _text(file: TextIO) -> str:
    try:
        return file.read()
    except UnicodeDecodeError as error:
        _fail(f"{file.name}: not UTF-8 text ({error.reason} at byte {error.start})")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="supervision")
def main() -> None:
    """Run a service of shared electric cars: charging, booking, codes and bills in one process."""


@main.command()
@_storage
@click.option("--http", help="HOST:PORT of the web site and the API.", metavar="HOST:PORT")
@click.option("--ocpp", help="HOST:PORT for charging stations.", metavar="HOST:PORT")
@click.option("--single-port", is_flag=True, default=None, help="Charging stations use the web address.")
def serve(config: Path | None, **given: Any) -> None:
    """Serve until SIGTERM; an empty database is migrated first."""
    from supervision.app import run_server

    settings = _settings(config, **given)
    with _sentences():
        sys.exit(run_server(settings, SystemClock()))


@main.command()
@_storage
@click.option("--speed", default=24.0, show_default=True, help="Demo seconds per second: 24 = a day an hour.")
@click.option("--http", help="HOST:PORT of the web site.", metavar="HOST:PORT")
@click.option("--ocpp", help="HOST:PORT for charging stations.", metavar="HOST:PORT")
def demo(speed: float, **given: Any) -> None:
    """Serve five towns with emulated chargers, cars, key boxes and drivers, on fresh data."""
    from supervision.demo import run_demo

    sys.exit(run_demo(_settings(**given), speed=speed))


@main.command()
@_storage
def migrate(**given: Any) -> None:
    """Bring the database to the newest schema."""
    from supervision.store import migrate as store_migrate

    settings = _settings(**given)
    with _sentences():
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    _run(store_migrate.migrate(settings.database_url))
    click.echo(f"schema {store_migrate.head()}")


@main.command("import")
@_storage
@click.argument("file", type=click.File("r", encoding="utf-8"))
def import_file(file: TextIO, **given: Any) -> None:
    """Insert or update what one JSON document says; nothing is half imported."""
    from supervision.app import open_database
    from supervision.importing import import_document

    settings, text = _settings(**given), _text(file)

    async def work() -> None:
        async with open_database(settings, SystemClock()) as db:
            summary = await import_document(db, SystemClock(), text)
        click.echo(f"created {summary.created}, updated {summary.updated}, unchanged {summary.unchanged}")

    _run(work())


@main.command()
@_storage
@click.option("--station", "identity", help="Only this charging station.", metavar="IDENTITY")
def rebuild(identity: str | None, **given: Any) -> None:
    """Recompute charging transactions from the journal of frames; exit 1 if the tables say otherwise."""
    from dataclasses import asdict

    from supervision.app import open_database
    from supervision.csms.checking import StationCheck, check_stations

    settings = _settings(**given)

    async def work() -> list[StationCheck]:
        async with open_database(settings, SystemClock()) as db:
            return await check_stations(db, identity=identity)

    checks = _run(work())
    if identity is not None and not checks:
        _fail(f"no charging station {identity} has ever connected")
    for check in checks:
        click.echo(json.dumps(asdict(check), ensure_ascii=False))
    if any(check.differences for check in checks):
        _fail("the tables and the journal differ")


@main.command()
@click.argument("file", type=click.File("r", encoding="utf-8"))
@click.option("--url", required=True, help="ws[s]://HOST:PORT/ocpp of a central system.", metavar="URL")
@click.option("--identity", required=True, help="A test station registered there.", metavar="ID")
@click.option("--ocpp", type=click.Choice(["1.6", "2.0.1"]), default="1.6", show_default=True)
@click.option("--password", envvar="SUPERVISION_STATION_PASSWORD", help="The test station's password.")
def replay(file: TextIO, url: str, identity: str, ocpp: str, password: str | None) -> None:
    """Play a downloaded journal (FILE or -) again as a test station; exit 1 if answers differ."""
    from supervision.csms.frame import Version
    from supervision.csms.replay import read_recording
    from supervision.csms.replaying import replay as play

    version = next(version for version in Version if version.number == ocpp)

    async def work() -> int:
        recording, differences = read_recording(_text(file).splitlines()), 0
        async for said in play(recording, url=url, identity=identity, version=version, password=password):
            differences += said.difference is not None
            click.echo(said.difference or f"{said.action}: as recorded")
        return differences

    if differences := _run(work()):
        _fail(f"{differences} answers differ from the recording")


@main.group()
def token() -> None:
    """API tokens."""


@token.command("create")
@_storage
@click.option("--email", required=True, help="The person the token speaks for.")
@click.option("--scope", required=True, type=click.Choice(["admin", "manager", "driver"]))
def token_create(email: str, scope: str, **given: Any) -> None:
    """Create an API token and print it once, as the last word."""
    from supervision.accounts.model import Scope
    from supervision.accounts.service import AccountsService
    from supervision.app import open_database

    settings = _settings(**given)

    async def work() -> str | Refused:
        async with open_database(settings, SystemClock()) as db:
            return await AccountsService(db, SystemClock()).create_token(email, Scope(scope))

    made = _run(work())
    if isinstance(made, Refused):
        _fail(f"nobody has the mail address {email}")
    click.echo(made)


def _pure(name: str, load_run: Callable[[], Callable[[str], str]], text: str) -> None:
    try:
        click.echo(load_run()(text))
    except FieldError as error:
        _fail(f"{name}: {error}")


@main.command()
@click.argument("file", type=click.File("r", encoding="utf-8"))
def plan(file: TextIO) -> None:
    """Read a planning problem (FILE or -), print the charging plan as JSON."""

    def run() -> Callable[[str], str]:
        from supervision.charging.problem import run

        return run

    _pure("problem", run, _text(file))


@main.command()
@click.argument("file", type=click.File("r", encoding="utf-8"))
def quote(file: TextIO) -> None:
    """Read a tariff and a trip (FILE or -), print priced lines and the total as JSON."""

    def run() -> Callable[[str], str]:
        from supervision.billing.quote import run

        return run

    _pure("quote", run, _text(file))


@main.command()
@click.argument("file", type=click.File("r", encoding="utf-8"))
def settle(file: TextIO) -> None:
    """Read a group's period (FILE or -), print shares, balances and transfers as JSON."""

    def run() -> Callable[[str], str]:
        from supervision.sharing.settle import run

        return run

    _pure("period", run, _text(file))


@main.command()
def openapi() -> None:
    """Print the description of the HTTP API (OpenAPI 3.1)."""
    from supervision.web.api.openapi import document

    click.echo(json.dumps(document(), indent=2, ensure_ascii=False))


@main.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell."""
    kind = get_completion_class(shell)
    if kind is None:
        _fail(f"no completion for {shell}")
    click.echo(kind(main, {}, "supervision", "_SUPERVISION_COMPLETE").source())
