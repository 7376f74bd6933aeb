"""The access code as the booking page shows it (C24, C44)."""

from __future__ import annotations

from datetime import timedelta

from supervision.accounts.model import Community, Identity
from supervision.booking.model import Booking
from supervision.kernel.errors import Refused
from supervision.services import Services
from supervision.web.views.driver_model import CodeView


async def code_view(
    services: Services, identity: Identity, community: Community, booking: Booking
) -> CodeView:
    """Return the code once it is released, before that the hour at which it comes."""
    code = await services.access.code_for(identity, booking)
    if isinstance(code, Refused):
        return _awaited(community, booking)
    person = identity.person
    sent_to = tuple(address for address in (person.email, person.phone) if address)
    return CodeView(
        digits=code.digits,
        valid_from=code.valid_from.astimezone(community.zone),
        valid_until=code.valid_until.astimezone(community.zone),
        released_at=code.released_at.astimezone(community.zone),
        sent_to=sent_to,
    )


def _awaited(community: Community, booking: Booking) -> CodeView:
    rules = community.rules
    release = booking.start_at - timedelta(minutes=rules.code_release_min)
    return CodeView(
        digits="",
        valid_from=(booking.start_at - timedelta(minutes=rules.code_early_min)).astimezone(community.zone),
        valid_until=(booking.end_at + timedelta(minutes=rules.code_late_min)).astimezone(community.zone),
        released_at=release.astimezone(community.zone),
        sent_to=(),
    )
