"""API: free vehicles, bookings and what happens to them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from supervision.accounts import store as accounts
from supervision.billing.model import Trip
from supervision.billing.quote import line_document
from supervision.booking.model import Booking, BookingRequest
from supervision.kernel.errors import Refused
from supervision.kernel.timespan import format_instant, from_millis, to_millis
from supervision.web.api.operation import Answer, ApiError, Call, Operation, invalid
from supervision.web.api.schemas import ID, INSTANT, TEXT, page_of, ref, strict

_LONGEST = timedelta(days=31)  # no community allows more (CommunityRules)


async def get_availability(call: Call) -> object:
    """Return the community's cars free from `start_at` to `end_at`, priced, with their expected charge."""
    services = call.services
    organisation_id = await _organisation_of_community(call, call.query["community"])
    start_at, end_at = call.instant("start_at"), call.instant("end_at")
    if end_at <= start_at:
        return Refused("ends_before_start")
    free = await services.bookings.free_vehicles(organisation_id, call.query["community"], start_at, end_at)
    if isinstance(free, Refused):
        return free
    ids = [vehicle.id for vehicle in free]
    quotes = await services.billing.quotes(
        organisation_id, vehicle_ids=ids, trip=Trip(start_at=start_at, end_at=end_at)
    )
    forecast = await services.charging.expected_soc(organisation_id, ids, start_at)
    items = [
        {
            "vehicle": vehicle.id,
            "station": vehicle.station_id,
            "name": vehicle.name,
            "price_cents": quotes[vehicle.id].total_cents if vehicle.id in quotes else None,
            "lines": [line_document(line) for line in quotes[vehicle.id].lines]
            if vehicle.id in quotes
            else [],
            "expected_soc_percent": forecast.get(vehicle.id),
        }
        for vehicle in free
    ]
    return {"items": items, "next": None}


async def post_booking(call: Call) -> object:
    """Book a car for oneself, or as a manager for somebody else."""
    start_at, end_at = call.body_instant("start_at"), call.body_instant("end_at")
    request = BookingRequest(
        vehicle_id=call.body["vehicle"],
        driver_id=call.body.get("driver") or call.identity.person.id,
        start_at=start_at,
        end_at=end_at,
        planned_km=call.body.get("planned_km"),
        purpose=call.body.get("purpose"),
        quoted_cents=await _quoted(call, start_at, end_at),
    )
    made = await call.services.bookings.book(call.identity, request)
    return made if isinstance(made, Refused) else Answer(201, await _document(call, made))


async def _quoted(call: Call, start_at: datetime, end_at: datetime) -> int | None:
    if not timedelta(0) < end_at - start_at <= _LONGEST:
        return None  # the rules will say so, and nobody prices eight thousand years
    for organisation_id in call.organisations:
        quotes = await call.services.billing.quotes(
            organisation_id,
            vehicle_ids=[call.body["vehicle"]],
            trip=Trip(start_at=start_at, end_at=end_at, km=call.body.get("planned_km")),
        )
        if quotes:
            return quotes[call.body["vehicle"]].total_cents
    return None


async def list_bookings(call: Call) -> object:
    """Return the bookings of a driver (default: the caller), the latest start first, then by id."""
    driver_id = call.query.get("driver") or call.identity.person.id
    before, after_id = _cursor(call)
    pages = [
        await call.services.bookings.of_driver(
            call.identity, organisation_id, driver_id, limit=call.limit + 1, before=before, after_id=after_id
        )
        for organisation_id in call.organisations
    ]
    allowed = [page for page in pages if not isinstance(page, Refused)]
    if pages and not allowed:
        return Refused("not_yours")
    found = sorted((booking for page in allowed for booking in page), key=_position)
    page = found[: call.limit]
    return {
        "items": [_plain(booking) for booking in page],
        "next": f"{to_millis(page[-1].start_at)}.{page[-1].id}" if len(found) > len(page) else None,
    }


def _position(booking: Booking) -> tuple[int, str]:
    return (-to_millis(booking.start_at), booking.id)


def _cursor(call: Call) -> tuple[datetime | None, str | None]:
    if call.after is None:
        return None, None
    millis, dot, booking_id = call.after.partition(".")
    if not (dot and re.fullmatch("[0-9]{1,14}", millis)):  # more digits overflow a date
        raise invalid("after", "a cursor of this list is wanted")
    return from_millis(int(millis)), booking_id


async def get_booking(call: Call) -> object:
    """Return one booking; its driver sees the code once it is released."""
    booking = await call.services.bookings.get(call.identity, call.path["id"])
    return booking if isinstance(booking, Refused) else await _document(call, booking)


async def extend_booking(call: Call) -> object:
    """Move the end later."""
    return await _changed(
        call, await call.services.bookings.extend(call.identity, call.path["id"], call.body_instant("end_at"))
    )


async def shorten_booking(call: Call) -> object:
    """Move the end earlier."""
    return await _changed(
        call,
        await call.services.bookings.shorten(call.identity, call.path["id"], call.body_instant("end_at")),
    )


async def cancel_booking(call: Call) -> object:
    """Give the booking up before it starts."""
    return await _changed(call, await call.services.bookings.cancel(call.identity, call.path["id"]))


async def start_booking(call: Call) -> object:
    """Take the car."""
    return await _changed(
        call,
        await call.services.bookings.start(
            call.identity, call.path["id"], odometer_km=call.body.get("odometer_km")
        ),
    )


async def return_booking(call: Call) -> object:
    """Bring the car back: the key box and the charging station are asked what they saw."""
    return await _changed(
        call,
        await call.services.returns.give_back(
            call.identity,
            call.path["id"],
            odometer_km=call.body.get("odometer_km"),
            exception=call.body.get("exception"),
        ),
    )


async def _changed(call: Call, result: Booking | Refused) -> object:
    return result if isinstance(result, Refused) else await _document(call, result)


async def _document(call: Call, booking: Booking) -> dict[str, Any]:
    code = await call.services.access.code_for(call.identity, booking)
    shown: dict[str, Any] = {"code": None, "code_valid_from": None, "code_valid_until": None}
    if not isinstance(code, Refused):
        shown = {
            "code": code.digits,
            "code_valid_from": format_instant(code.valid_from),
            "code_valid_until": format_instant(code.valid_until),
        }
    return {**_plain(booking), **shown}


def _plain(booking: Booking) -> dict[str, Any]:
    instants = ("made_at", "start_at", "end_at", "blocked_until", "started_at", "returned_at", "cancelled_at")
    return {
        "id": booking.id,
        "vehicle": booking.vehicle_id,
        "station": booking.station_id,
        "driver": booking.driver_id,
        "status": booking.status.value,
        "planned_km": booking.planned_km,
        "quoted_cents": booking.quoted_cents,
        **{name: _instant(getattr(booking, name)) for name in instants},
    }


def _instant(value: datetime | None) -> str | None:
    return None if value is None else format_instant(value)


async def _organisation_of_community(call: Call, community_id: str) -> str:
    for organisation_id in call.organisations:
        async with call.services.db.read(organisation_id) as reader:
            if await accounts.community(reader, organisation_id, community_id) is not None:
                return organisation_id
    raise ApiError(404, "community_unknown", f"unknown community {community_id!r}")


_KM = {"type": "integer", "minimum": 0, "maximum": 2_000_000}
_NEW = strict(
    "vehicle start_at end_at",
    vehicle=ID,
    driver=ID,
    start_at=INSTANT,
    end_at=INSTANT,
    planned_km=_KM,
    purpose={"type": "string", "maxLength": 500},
)


def _action(name: str, handler: Callable[[Call], Any], body: Any) -> Operation:
    return Operation(
        method="POST",
        path=f"/bookings/{{id}}/{name}",
        summary=str(handler.__doc__),
        handler=handler,
        body=body,
        answer=ref("BookingWithCode"),
        tag="bookings",
    )


OPERATIONS = (
    Operation(
        method="GET",
        path="/availability",
        summary="Free cars with price and expected state of charge",
        handler=get_availability,
        query={
            "community": "Id of the community",
            "start_at": "Start, RFC 3339",
            "end_at": "End, RFC 3339",
        },
        required_query=("community", "start_at", "end_at"),
        answer=page_of("FreeVehicle"),
        tag="bookings",
    ),
    Operation(
        method="POST",
        path="/bookings",
        summary="Book a car",
        handler=post_booking,
        body=_NEW,
        answer=ref("BookingWithCode"),
        status=201,
        tag="bookings",
    ),
    Operation(
        method="GET",
        path="/bookings",
        summary="Bookings of a driver, the latest start first",
        handler=list_bookings,
        query={"driver": "Id of a person; default: the caller", "limit": "Page length", "after": "Cursor"},
        answer=page_of("Booking"),
        tag="bookings",
    ),
    Operation(
        method="GET",
        path="/bookings/{id}",
        summary="One booking",
        handler=get_booking,
        answer=ref("BookingWithCode"),
        tag="bookings",
    ),
    _action("extend", extend_booking, strict("end_at", end_at=INSTANT)),
    _action("shorten", shorten_booking, strict("end_at", end_at=INSTANT)),
    _action("cancel", cancel_booking, strict()),
    _action("start", start_booking, strict(odometer_km=_KM)),
    _action("return", return_booking, strict(odometer_km=_KM, exception={**TEXT, "maxLength": 1000})),
)
