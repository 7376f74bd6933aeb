"""Bring a database to the newest schema, and tell whether it is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import create_async_engine

from supervision.store.db import driver_url

_SCRIPTS = Path(__file__).parent / "migrations"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    return config


def head() -> str:
    """Return the revision this program needs."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def is_ours(revision: str) -> bool:
    """Tell whether this program knows a revision; one made by a newer program it does not."""
    return revision in {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


async def migrate(url: str, *, to: str = "head") -> None:
    """Upgrade to a revision, the newest by default; does nothing when already there."""

    def upgrade(connection: Connection) -> None:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, to)

    engine = create_async_engine(driver_url(url))
    if engine.dialect.name == "sqlite":
        # Python's driver begins no transaction before DDL: begun by hand, a migration is whole or nothing.
        event.listen(engine.sync_engine, "connect", _no_begin_of_the_driver)
        event.listen(engine.sync_engine, "begin", _begin)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(upgrade)
    finally:
        await engine.dispose()


def _no_begin_of_the_driver(connection: Any, _record: object) -> None:
    connection.isolation_level = None


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


async def current(url: str) -> str | None:
    """Return the revision the database stands at, None when it is empty."""

    def read(connection: Connection) -> str | None:
        return MigrationContext.configure(connection).get_current_revision()

    engine = create_async_engine(driver_url(url))
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(read)
    finally:
        await engine.dispose()
