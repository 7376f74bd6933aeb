"""Unknown charging stations as their page shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from supervision.csms.directory import Document
from supervision.fleet import store as fleet
from supervision.kernel.timespan import parse_instant
from supervision.services import Services
from supervision.web.views.devices import KINDS
from supervision.web.views.station_model import NewPassword, Stranger, StrangersView

SHOWN = 200


async def strangers_view(
    services: Services,
    administered: Sequence[str],
    *,
    sought: str,
    adopted: NewPassword | None,
    now: datetime,
) -> StrangersView:
    """Compose the page of whoever administers these organisations."""
    page = await services.adoption.strangers(administered, identity=sought or None, limit=SHOWN)
    places: list[tuple[str, str]] = []
    for organisation_id in administered:
        async with services.db.read(organisation_id) as reader:
            places += [
                (station.id, station.name) for station in await fleet.stations_of(reader, organisation_id)
            ]
    found = sorted((_stranger(item) for item in page.items), key=lambda one: one.last_seen_at, reverse=True)
    return StrangersView(
        strangers=tuple(found),
        places=tuple(places),
        kinds=tuple(KINDS.items()),
        sought=sought,
        adopted=adopted,
        now=now,
    )


def _stranger(item: Document) -> Stranger:
    return Stranger(
        identity=item["identity"],
        address=item["address"] or "",
        first_seen_at=parse_instant(item["first_seen_at"]),
        last_seen_at=parse_instant(item["last_seen_at"]),
        attempts=item["attempts"],
        offered=tuple(item["offered"]),
        sent_password=item["sent_password"],
    )
