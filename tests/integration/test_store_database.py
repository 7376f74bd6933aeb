"""The store's contract, held by SQLite and PostgreSQL alike."""

from __future__ import annotations

from sqlalchemy import select

from supervision.store import schema
from supervision.store.db import Database
from tests import factories


async def test_service_written_is_read_back(db: Database) -> None:
    await factories.write_service(db)
    async with db.read("org") as reader:
        rows = await reader.all(
            select(schema.vehicles.c.id).where(schema.vehicles.c.organisation_id == "org")
        )
    assert rows == [{"id": "car-1"}]
