"""What starts a charge (C44, API.md): a booking's code at its own charging point, or a badge.

A badge of staff charges at any time: `BadgeAuthoriser` of csms says so. A driver's badge charges during
his own booking at that car's charging point, and anywhere where the community says so.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from supervision.access import rules, store
from supervision.access.model import AccessCode
from supervision.access.service import AccessService
from supervision.accounts import store as accounts
from supervision.accounts.rules import may_drive
from supervision.booking.model import BookingStatus
from supervision.csms.authorising import BadgeAuthoriser, TokenRequest, decide_badge, find_id_token
from supervision.csms.model import IdTokenDecision, IdTokenStatus
from supervision.fleet import store as fleet
from supervision.store.db import Reader

_INVALID = IdTokenDecision(status=IdTokenStatus.INVALID)


class ChargingAuthoriser:
    """The csms hook `IdTokenAuthoriser`."""

    def __init__(self, access: AccessService) -> None:
        self._access = access
        self._badges = BadgeAuthoriser()

    async def decide(self, reader: Reader, request: TokenRequest, now: datetime) -> IdTokenDecision:
        """Accept a live code, a staff badge, or a driver's badge as the rules allow; Invalid otherwise."""
        badge = await self._badges.decide(reader, request, now)
        if badge.status is not IdTokenStatus.INVALID:
            return badge
        if badge.person_id is None:
            return await self._decide_code(reader, request, now)
        row = await find_id_token(reader, request.organisation_id, request.token)
        if row is None or decide_badge(row, staff=True, now=now).status is not IdTokenStatus.ACCEPTED:
            return badge
        accepted = await self._decide_driver(reader, request, badge.person_id, now)
        if accepted is None:
            return badge
        return replace(accepted, parent=badge.parent, expires_at=badge.expires_at)

    async def _decide_code(self, reader: Reader, request: TokenRequest, now: datetime) -> IdTokenDecision:
        code = await self._access.check(
            reader,
            organisation_id=request.organisation_id,
            station_id=request.station_id,
            digits=request.token,
            now=now,
        )
        if code is None or not await _serves(reader, request, code):
            return _INVALID
        return await _accepted(reader, code)

    async def _decide_driver(
        self, reader: Reader, request: TokenRequest, person_id: str, now: datetime
    ) -> IdTokenDecision | None:
        person = await accounts.person(reader, person_id)
        station = await fleet.station(reader, request.organisation_id, request.station_id)
        if person is None or station is None:
            return None
        if not may_drive(person, request.organisation_id, station.community_id):
            return None
        for code in await _codes_of(reader, request, person_id, now):
            if await _serves(reader, request, code):
                return await _accepted(reader, code)
        community = await accounts.community(reader, request.organisation_id, station.community_id)
        if community is not None and community.rules.driver_charge_anywhere:
            return IdTokenDecision(status=IdTokenStatus.ACCEPTED, person_id=person_id)
        return None


async def _codes_of(reader: Reader, request: TokenRequest, person_id: str, now: datetime) -> list[AccessCode]:
    """Return the codes of the driver's own bookings that open at this station now."""
    live = await store.live_codes(
        reader, request.organisation_id, request.station_id, now, driver_id=person_id
    )
    return [code for code, status in live if rules.opens(code, BookingStatus(status), now)]


async def _serves(reader: Reader, request: TokenRequest, code: AccessCode) -> bool:
    vehicle = await fleet.vehicle(reader, request.organisation_id, code.vehicle_id)
    return vehicle is not None and rules.serves(vehicle, request.charging_station, request.evse_id)


async def _accepted(reader: Reader, code: AccessCode) -> IdTokenDecision:
    return IdTokenDecision(
        status=IdTokenStatus.ACCEPTED,
        person_id=await store.driver_of(reader, code.organisation_id, code.booking_id),
        booking_id=code.booking_id,
        vehicle_id=code.vehicle_id,
    )
