"""Fixtures of the whole suite: a clock that stands still, and both databases, migrated and empty."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from supervision.clock import FixedClock
from supervision.store.db import Database
from supervision.store.migrate import migrate
from supervision.store.schema import metadata
from tests import postgres, serving
from tests.postgres import PostgresServer

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)

# No test is timed, and the same examples come every time in CI: a busy machine must not turn a test red.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("suite"), derandomize=True)
settings.register_profile("mutation", settings.get_profile("ci"), max_examples=10)  # script/mutate: for each
settings.load_profile("ci" if os.environ.get("CI") else "suite")


def migrate_now(url: str) -> None:
    """Migrate from a synchronous fixture; in a thread, so that no running loop is disturbed."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(migrate(url))).result()


@pytest.fixture
def clock() -> FixedClock:
    """Return a clock that stands at 2026-11-21 08:00 UTC until it is moved."""
    return FixedClock(NOW)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return one migrated file, copied for every test."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    migrate_now(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """Return a migrated SQLite database of this test's own."""
    path = tmp_path / "supervision.db"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Run PostgreSQL for the session; a machine without it fails the test and names the apt line."""
    with postgres.running() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_database(postgres_server: PostgresServer) -> str:
    """Return the name of one migrated database, emptied after every test."""
    name = postgres_server.create()
    migrate_now(postgres_server.url(name))
    return name


@pytest.fixture
def postgres_url(postgres_server: PostgresServer, postgres_database: str) -> Iterator[str]:
    """Return a migrated PostgreSQL database without rows."""
    yield postgres_server.url(postgres_database)
    postgres_server.empty(postgres_database, keep=[*metadata.tables, "alembic_version"])


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Return a migrated, empty database; a test that asks for it runs on both kinds."""
    kind = {"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param]
    return str(request.getfixturevalue(kind))


@pytest.fixture
async def db(database_url: str, clock: FixedClock) -> AsyncIterator[Database]:
    """Return the open database, on both kinds."""
    async with Database.open(database_url, clock=clock) as database:
        yield database


@pytest.fixture
async def sqlite_db(sqlite_url: str, clock: FixedClock) -> AsyncIterator[Database]:
    """Return an open SQLite database, for tests whose subject is not the database."""
    async with Database.open(sqlite_url, clock=clock) as database:
        yield database


@pytest.fixture(params=["sqlite", "postgresql"])
def bare_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Return a database without tables, for tests of the migrations."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'bare.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name = server.create()
    yield server.url(name)
    server.drop(name)


@pytest.fixture(scope="session")
def populated_template(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the world of `tests.serving` as one file, copied for every test."""
    path = tmp_path_factory.mktemp("world") / "template.db"
    shutil.copyfile(sqlite_template, path)
    populate_now(f"sqlite:///{path}")
    return path


def populate_now(url: str) -> None:
    """Populate from a synchronous fixture."""

    async def work() -> None:
        clock = FixedClock(NOW)
        async with Database.open(url, clock=clock) as database:
            await serving.populate(database, clock)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(work())).result()


@pytest.fixture
async def world(populated_template: Path, tmp_path: Path, clock: FixedClock) -> AsyncIterator[serving.World]:
    """Return the web application over two organisations, on SQLite."""
    path = tmp_path / "world.db"
    shutil.copyfile(populated_template, path)
    async with serving.open_world(f"sqlite:///{path}", clock, tmp_path) as opened:
        yield opened


@pytest.fixture
async def postgres_world(
    postgres_url: str, tmp_path: Path, clock: FixedClock
) -> AsyncIterator[serving.World]:
    """Return the same world on PostgreSQL, which refuses text that SQLite takes."""
    populate_now(postgres_url)
    async with serving.open_world(postgres_url, clock, tmp_path) as opened:
        yield opened
