"""Search and confirm: time first, then the car, then the price, then one button."""

from __future__ import annotations

from starlette.responses import Response

from supervision.booking.model import BookingRequest
from supervision.kernel.errors import Refused
from supervision.web.views.driver_model import ConfirmView
from supervision.web.views.driving import Choosing, choosing_from, confirm_view, search_view
from supervision.web.visit import PageError, Visit


async def search(visit: Visit) -> Response:
    """Show the search form, and the free cars once a time is known."""
    view = await search_view(visit.services, visit.signed_in, visit.query, now=visit.now)
    if isinstance(view, Refused):
        raise PageError(403)
    return visit.render("drive.html", view)


async def confirm(visit: Visit) -> Response:
    """Show car, time, price and terms."""
    choosing = choosing_from(visit.query)
    if isinstance(choosing, Refused):
        raise PageError(404)
    return visit.render("confirm.html", await _view(visit, choosing, None))


async def book(visit: Visit) -> Response:
    """Book; a refusal shows the same page with the reason and the nearest free time."""
    choosing = choosing_from(await visit.form())
    if isinstance(choosing, Refused):
        raise PageError(404)
    view = await _view(visit, choosing, None)
    request = BookingRequest(
        vehicle_id=choosing.vehicle,
        driver_id=visit.person.id,
        start_at=choosing.start,
        end_at=choosing.end,
        quoted_cents=view.total_cents,
    )
    booked = await visit.services.bookings.book(visit.signed_in, request)
    if isinstance(booked, Refused):
        view = await _view(visit, choosing, booked)
        return visit.render("confirm.html", view, status=409 if booked.code == "overlap" else 422)
    return visit.see(f"/bookings/{booked.id}", done="booked")


async def _view(visit: Visit, choosing: Choosing, refused: Refused | None) -> ConfirmView:
    view = await confirm_view(
        visit.services, visit.signed_in, choosing, refused=refused, now=visit.now, language=visit.language
    )
    if isinstance(view, Refused):
        raise PageError(404)
    return view


ROUTES = (
    ("GET", "/drive", search),
    ("GET", "/drive/confirm", confirm),
    ("POST", "/bookings", book),
)
