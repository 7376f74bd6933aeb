"""The migrations end where the schema says, on both databases."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, select
from sqlalchemy.ext.asyncio import create_async_engine

from supervision.clock import FixedClock
from supervision.store import migrate as migrations
from supervision.store.db import Database, driver_url
from supervision.store.migrate import current, head, migrate
from supervision.store.schema import metadata, vehicles
from tests import factories
from tests.factories import TESTS

BY_THE_GUARD = {"ix_bookings_holding"}  # made by booking_guard: no part of the metadata


def differences(connection: Connection) -> list[Any]:
    """Return what would have to change for the database to match the schema."""

    def wanted(_item: object, name: str | None, *_: object) -> bool:
        return name not in BY_THE_GUARD

    options = {"include_object": wanted, "compare_type": True, "compare_server_default": True}
    context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(context, metadata))


async def differences_in(url: str) -> list[Any]:
    """Compare the database at `url` with the schema."""
    engine = create_async_engine(driver_url(url))
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(differences)
    finally:
        await engine.dispose()


async def test_migrated_database_matches_the_schema(bare_database_url: str) -> None:
    await migrate(bare_database_url)
    assert await differences_in(bare_database_url) == []


async def test_database_without_tables_differs(bare_database_url: str) -> None:
    assert len(await differences_in(bare_database_url)) >= len(metadata.tables)


async def test_revision_is_told_before_and_after(bare_database_url: str) -> None:
    assert await current(bare_database_url) is None
    await migrate(bare_database_url)
    assert await current(bare_database_url) == head()


async def test_migrating_twice_changes_nothing(bare_database_url: str, clock: FixedClock) -> None:
    await migrate(bare_database_url)
    async with Database.open(bare_database_url, clock=clock) as db:
        await factories.write_service(db)
    await migrate(bare_database_url)
    async with Database.open(bare_database_url, clock=clock) as db, db.read(TESTS) as reader:
        assert await reader.scalar(select(vehicles.c.id)) == "car-1"


def test_migrations_form_one_line() -> None:
    script = ScriptDirectory.from_config(migrations._config())
    assert len(script.get_heads()) == 1
    assert len(script.get_bases()) == 1


async def test_interrupted_migration_leaves_nothing(bare_database_url: str, monkeypatch: Any) -> None:
    def failing(_dialect: str) -> tuple[str, ...]:
        return ("CREATE NONSENSE",)

    with monkeypatch.context() as patch:
        patch.setattr("supervision.store.booking_guard.statements", failing)
        with pytest.raises(Exception, match="NONSENSE"):
            await migrate(bare_database_url)
    await migrate(bare_database_url)
    assert await differences_in(bare_database_url) == []


async def test_sqlite_commits_are_as_durable_as_promised(sqlite_db: Database, sqlite_url: str) -> None:
    """WAL with synchronous=FULL: a commit is on the disk before anybody hears of it."""
    await sqlite_db.write(TESTS, factories.organisation)

    def mode() -> str:
        connection = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))
        try:
            return str(connection.execute("PRAGMA journal_mode").fetchone()[0])
        finally:
            connection.close()

    async with sqlite_db._write_engine.connect() as connection:
        full = (await connection.exec_driver_sql("PRAGMA synchronous")).scalar()
    assert await asyncio.to_thread(mode) == "wal"
    assert full == 2
