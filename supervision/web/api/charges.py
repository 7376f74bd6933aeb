"""API: charges a person must settle, and every attempt to be let charge."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from supervision.accounts import rules
from supervision.csms.directory import Page
from supervision.csms.model import SettledHow
from supervision.csms.review import MOST_WH, Wish
from supervision.web.api.operation import ApiError, Call, Operation
from supervision.web.api.schemas import WHOLE, or_null, page_of, ref, strict


async def list_reviews(call: Call) -> object:
    """Return the charges that wait for a person, oldest first."""
    pages = [
        await call.services.review.charges(organisation_id, after=call.after_number, limit=call.limit)
        for organisation_id in rules.supervised(call.identity)
    ]
    return _merged(pages, call.limit)


def _merged(pages: Sequence[Page], limit: int) -> dict[str, Any]:
    items = sorted((item for page in pages for item in page.items), key=_number)
    more = len(items) > limit or any(page.next is not None for page in pages)
    shown = items[:limit]
    return {"items": shown, "next": str(_number(shown[-1])) if more and shown else None}


def _number(item: dict[str, Any]) -> int:
    return int(item["charging_transaction"]["id"])


async def get_review(call: Call) -> object:
    """Return one charge with what is known of it."""
    _, document = await _found(call)
    return document


async def post_settlement(call: Call) -> object:
    """Settle a charge."""
    organisation_id, document = await _found(call)
    call.require(rules.may_manage, organisation_id)
    wish = Wish(
        how=SettledHow(call.body["how"]),
        energy_wh=call.body.get("energy_wh"),
        note=call.body.get("note") or "",
    )
    return await call.services.review.settle(
        organisation_id, _number(document), wish, by_person_id=call.identity.person.id
    )


async def list_attempts(call: Call) -> object:
    """Return attempts to be let charge, newest first."""
    before = call.after_number or None
    since = call.instant("from") if call.query.get("from") else None
    until = call.instant("to") if call.query.get("to") else None
    pages = [
        await call.services.directory.attempts(
            organisation_id,
            identity=call.query.get("charging_station") or None,
            status=call.query.get("status") or None,
            since=since,
            until=until,
            before=before,
            limit=call.limit,
        )
        for organisation_id in rules.supervised(call.identity)
    ]
    items = sorted((item for page in pages for item in page.items), key=lambda item: -item["id"])
    more = len(items) > call.limit or any(page.next is not None for page in pages)
    shown = items[: call.limit]
    return {"items": shown, "next": str(shown[-1]["id"]) if more and shown else None}


async def _found(call: Call) -> tuple[str, dict[str, Any]]:
    """Return organisation and charge; one the caller does not supervise is not confirmed to exist."""
    text = call.path["id"]
    if re.fullmatch("[0-9]{1,18}", text):
        for organisation_id in rules.supervised(call.identity):
            document = await call.services.review.charge(organisation_id, int(text))
            if document is not None:
                return organisation_id, document
    raise ApiError(404, "charging_transaction_unknown", "unknown charging transaction")


_PAGING = {"limit": "Page length", "after": "Cursor of the page before"}

OPERATIONS = (
    Operation(
        method="GET",
        path="/charging-transactions/review",
        summary="Charges that a person must settle, oldest first, each with a proposal",
        handler=list_reviews,
        query=_PAGING,
        answer=page_of("ChargeReview"),
        tag="charging stations",
    ),
    Operation(
        method="GET",
        path="/charging-transactions/{id}/review",
        summary="One charge: its doubts, its readings, what was decided about it",
        handler=get_review,
        answer=ref("ChargeReview"),
        tag="charging stations",
    ),
    Operation(
        method="POST",
        path="/charging-transactions/{id}/settlement",
        summary="Settle a charge: the proposal, another energy with a note, or none",
        handler=post_settlement,
        body=strict(
            "how",
            how={"enum": [how.value for how in SettledHow]},
            energy_wh=or_null({**WHOLE, "minimum": 0, "maximum": MOST_WH}),
            note=or_null({"type": "string", "maxLength": 1000}),
        ),
        answer=ref("ChargeReview"),
        tag="charging stations",
    ),
    Operation(
        method="GET",
        path="/authorisation-attempts",
        summary="Badges and codes shown at charging stations, newest first, by their last characters",
        handler=list_attempts,
        query={
            "charging_station": "Identity",
            "status": "Accepted, Blocked, Expired, Invalid or ConcurrentTx",
            "from": "From this instant on",
            "to": "Before this instant",
            **_PAGING,
        },
        answer=page_of("AuthorisationAttempt"),
        tag="id tokens",
    ),
)
