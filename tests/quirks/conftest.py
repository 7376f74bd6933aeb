"""A central system with two registered stations, where the driver's badge has a booking, for the scripts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime

import pytest

from supervision.clock import FixedClock
from supervision.csms.authorising import BadgeAuthoriser, TokenRequest
from supervision.csms.model import IdTokenDecision, IdTokenStatus
from supervision.store.db import Database, Reader
from tests.integration.ocpp_client import Server, central_system, write_stations


class DriverWithBooking(BadgeAuthoriser):
    """What the package above decides for a driver whose booking runs."""

    async def decide(self, reader: Reader, request: TokenRequest, now: datetime) -> IdTokenDecision:
        decision = await super().decide(reader, request, now)
        if decision.person_id == "d1":
            return replace(decision, status=IdTokenStatus.ACCEPTED)
        return decision


@pytest.fixture
async def server(sqlite_db: Database, clock: FixedClock) -> AsyncIterator[Server]:
    """Return the central system; CP16 and CS201 are registered with two EVSEs each."""
    await write_stations(sqlite_db)
    async with central_system(sqlite_db, clock, authoriser=DriverWithBooking()) as running:
        yield running
