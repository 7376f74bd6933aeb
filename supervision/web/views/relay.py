"""The second backend on a charging station's page: what is shown, and its form as a wish."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from supervision.csms.relay.model import Owner
from supervision.csms.relay.service import Wish
from supervision.kernel.errors import FieldError, Refused
from supervision.kernel.timespan import parse_instant
from supervision.services import Services
from supervision.web.views.station_model import RelayState, RelayView


async def relay_of(
    services: Services, organisation_id: str, identity: str, zone: ZoneInfo, *, editable: bool
) -> RelayView:
    """Return the second backend of a station that exists."""
    document = await services.relays.document(organisation_id, identity)
    if isinstance(document, Refused):
        raise LookupError(identity)  # noqa: TRY004 - the caller has just found it
    found = document["relay"]
    state = None
    if found is not None:
        state = RelayState(
            url=found["url"],
            identity=found["identity"],
            password_set=found["password_set"],
            owner=found["owner"],
            connected_at=_local(found["connected_at"], zone),
            error=found["error"] or "",
            error_at=_local(found["error_at"], zone),
            waiting=found["waiting"],
            delivered=found["delivered"],
            refused=found["refused"],
            lost=found["lost"],
            own_answers=found["own_answers"],
        )
    return RelayView(
        charging_station=identity, hosts=tuple(document["hosts"]), state=state, editable=editable
    )


def wish_in(form: Mapping[str, str]) -> Wish:
    """Read the form; FieldError names a field that cannot be used.

    A password field left empty keeps what there is: browsers do not show it again.
    """
    owner = form.get("owner", "")
    if owner not in {*Owner}:
        raise FieldError("owner", "unknown")
    password = "" if form.get("no_password") else form.get("password") or None
    return Wish(
        url=form.get("url", ""),
        owner=Owner(owner),
        identity=form.get("identity", "").strip() or None,
        password=password,
    )


def _local(text: str | None, zone: ZoneInfo) -> datetime | None:
    return None if text is None else parse_instant(text).astimezone(zone)
