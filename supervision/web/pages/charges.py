"""Charges a person must settle, and the badges shown at charging stations."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

from starlette.responses import Response

from supervision.accounts.rules import may_manage
from supervision.kernel.errors import FieldError, Refused
from supervision.web.views.charges import attempts_view, review_view, wish_from
from supervision.web.visit import PageError, Visit

_REVIEW = "/charging/review"
_ANY_ZONE = ZoneInfo("UTC")  # refusals of this page name no instant


async def review(visit: Visit) -> Response:
    """List the charges that wait."""
    return await _list(visit, None)


async def settle(visit: Visit) -> Response:
    """Settle one, then show the others."""
    row_id = _number(visit.path["id"])
    organisation_id = await _organisation_of(visit, row_id)
    if not may_manage(visit.signed_in, organisation_id):
        raise PageError(403)
    try:
        wish = wish_from(await visit.form())
    except FieldError:
        return await _list(visit, Refused("bad_energy"))
    done = await visit.services.review.settle(organisation_id, row_id, wish, by_person_id=visit.person.id)
    if isinstance(done, Refused):
        return await _list(visit, done)
    return visit.see(_REVIEW, done="settled")


async def attempts(visit: Visit) -> Response:
    """Show the log of badges."""
    query = visit.query
    try:
        view = await attempts_view(
            visit.services,
            visit.supervised,
            charging_station=query.get("charging_station", ""),
            status=query.get("status", ""),
            day=query.get("day", ""),
            before=_number(query["before"]) if query.get("before") else None,
        )
    except FieldError:
        raise PageError(404) from None
    return visit.render("attempts.html", view)


async def _list(visit: Visit, refused: Refused | None) -> Response:
    after = _number(visit.query["after"]) if visit.query.get("after") else 0
    shown = visit if refused is None else visit.with_refusal(refused, zone=_ANY_ZONE)
    view = await review_view(visit.services, visit.signed_in, visit.supervised, after=after, now=visit.now)
    return shown.render("review.html", view, status=200 if refused is None else 422)


async def _organisation_of(visit: Visit, row_id: int) -> str:
    for organisation_id in visit.supervised:
        if await visit.services.review.charge(organisation_id, row_id) is not None:
            return organisation_id
    raise PageError(404)


def _number(text: str) -> int:
    if not re.fullmatch("[0-9]{1,18}", text):
        raise PageError(404)
    return int(text)


ROUTES = (
    ("GET", _REVIEW, review),
    ("POST", "/charging/review/{id}", settle),
    ("GET", "/charging/attempts", attempts),
)
