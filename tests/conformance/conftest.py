"""A central system with two registered stations, for scenarios that assert frames."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from supervision.clock import FixedClock
from supervision.store.db import Database
from tests.integration.ocpp_client import Server, central_system, write_stations


@pytest.fixture
async def server(sqlite_db: Database, clock: FixedClock) -> AsyncIterator[Server]:
    """Return the central system; CP16 and CS201 are registered with two EVSEs each."""
    await write_stations(sqlite_db)
    async with central_system(sqlite_db, clock) as running:
        yield running
