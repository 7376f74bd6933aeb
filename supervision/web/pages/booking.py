"""One booking's life on the phone: code, take, extend, return, cancel, report."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from starlette.responses import Response

from supervision.booking.model import Booking
from supervision.kernel.errors import Refused
from supervision.kernel.timespan import parse_instant
from supervision.web import rendering
from supervision.web.live import Part, stream
from supervision.web.views.bookings import (
    Found,
    booking_view,
    bookings_view,
    extend_view,
    find,
    problem_view,
    return_view,
)
from supervision.web.visit import PageError, Visit

LONGEST_REASON = 1000
PROBLEMS = frozenset({"damage", "dirty", "charging", "access", "other"})
MOST_KM = 2_000_000


async def mine(visit: Visit) -> Response:
    """List the driver's bookings."""
    return visit.render("bookings.html", await bookings_view(visit.services, visit.signed_in, now=visit.now))


async def show(visit: Visit) -> Response:
    """Show one booking."""
    return await _show(visit, await _found(visit), None)


async def code_events(visit: Visit) -> Response:
    """Stream the code: it appears by itself when its time has come."""
    found = await _found(visit)
    topics = {f"booking:{found.booking.id}"}

    async def refresh(_touched: frozenset[str]) -> list[Part]:
        again = await _found(visit)
        now = visit.services.clock.now()
        view = await booking_view(visit.services, visit.signed_in, again, now=now, language=visit.language)
        if view.code is None:
            return []
        html = rendering.render_part("booking_parts.html", "code_card", view, language=visit.language)
        return [Part("code", html)]

    return stream(visit, wanted=topics.__contains__, refresh=refresh)


async def problem_form(visit: Visit) -> Response:
    """Show the form for what is wrong."""
    return visit.render("problem.html", problem_view(await _found(visit), now=visit.now))


async def problem(visit: Visit) -> Response:
    """Bring the driver's words to the manager's inbox."""
    found = await _found(visit)
    form = await visit.form()
    text = form.get("text", "").strip()[:LONGEST_REASON]
    if form.get("kind") not in PROBLEMS or not text:
        raise PageError(404)
    await visit.services.alerts.report(
        found.booking, by_person_id=visit.person.id, problem=form["kind"], text=text
    )
    return visit.see(f"/bookings/{found.booking.id}", done="reported")


async def start(visit: Visit) -> Response:
    """Note that the driver has the car."""
    found = await _found(visit)
    km = _kilometres(await visit.form())
    done = await visit.services.bookings.start(visit.signed_in, found.booking.id, odometer_km=km)
    return await _answer(visit, found, done, "started")


async def cancel(visit: Visit) -> Response:
    """Give the booking up."""
    found = await _found(visit)
    done = await visit.services.bookings.cancel(visit.signed_in, found.booking.id)
    return await _answer(visit, found, done, "cancelled")


async def extend_form(visit: Visit) -> Response:
    """Show the later ends and their prices."""
    return await _extend_page(visit, await _found(visit), None)


async def extend(visit: Visit) -> Response:
    """Move the end."""
    found = await _found(visit)
    new_end = _instant((await visit.form()).get("end_at", ""))
    done = await visit.services.bookings.extend(visit.signed_in, found.booking.id, new_end)
    if isinstance(done, Refused):
        return await _extend_page(visit, found, done)
    return visit.see(f"/bookings/{done.id}", done="extended")


async def return_form(visit: Visit) -> Response:
    """Show what the station has seen of the return."""
    return await _return_page(visit, await _found(visit), None)


async def give_back(visit: Visit) -> Response:
    """End the trip on what was seen, or on the driver's word that the charging station is broken (C44)."""
    found = await _found(visit)
    form = await visit.form()
    exception = form.get("reason", "").strip()[:LONGEST_REASON] if form.get("without_charge") else ""
    done = await visit.services.returns.give_back(
        visit.signed_in, found.booking.id, odometer_km=_kilometres(form), exception=exception or None
    )
    if isinstance(done, Refused):
        return await _return_page(visit, found, done)
    return visit.see(f"/bookings/{done.id}", done="returned")


async def return_events(visit: Visit) -> Response:
    """Stream what the station sees of the return."""
    found = await _found(visit)
    topics = {f"station:{found.booking.station_id}", f"booking:{found.booking.id}"}

    async def refresh(_touched: frozenset[str]) -> list[Part]:
        view = await return_view(visit.services, found, refused=None, now=visit.services.clock.now())
        html = rendering.render_part("return_parts.html", "checks", view, language=visit.language)
        return [Part("checks", html)]

    return stream(visit, wanted=topics.__contains__, refresh=refresh)


async def _found(visit: Visit) -> Found:
    found = await find(visit.services, visit.signed_in, visit.path["id"])
    if isinstance(found, Refused):
        raise PageError(403 if found.code == "not_yours" else 404)
    return found


async def _answer(visit: Visit, found: Found, done: Booking | Refused, what: str) -> Response:
    if isinstance(done, Refused):
        return await _show(visit, found, done)
    return visit.see(f"/bookings/{done.id}", done=what)


async def _show(visit: Visit, found: Found, refused: Refused | None) -> Response:
    shown = visit if refused is None else visit.with_refusal(refused, zone=found.community.zone)
    view = await booking_view(visit.services, visit.signed_in, found, now=visit.now, language=visit.language)
    return shown.render("booking.html", view, status=200 if refused is None else 422)


async def _extend_page(visit: Visit, found: Found, refused: Refused | None) -> Response:
    view = await extend_view(visit.services, visit.signed_in, found, refused=refused, now=visit.now)
    return visit.render("extend.html", view, status=200 if refused is None else 422)


async def _return_page(visit: Visit, found: Found, refused: Refused | None) -> Response:
    view = await return_view(visit.services, found, refused=refused, now=visit.now)
    return visit.render("return.html", view, status=200 if refused is None else 422)


def _instant(text: str) -> datetime:
    try:
        return parse_instant(text)
    except (ValueError, OverflowError):
        raise PageError(404) from None


def _kilometres(form: Mapping[str, str]) -> int | None:
    """The odometer as typed, spaces and all; None when left empty or no number."""
    digits = form.get("odometer_km", "").replace(" ", "").replace("\u202f", "").replace("\xa0", "")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= len(str(MOST_KM))):
        return None
    return min(int(digits), MOST_KM)


ROUTES = (
    ("GET", "/bookings", mine),
    ("GET", "/bookings/{id}", show),
    ("GET", "/bookings/{id}/events", code_events),
    ("GET", "/bookings/{id}/problem", problem_form),
    ("POST", "/bookings/{id}/problem", problem),
    ("POST", "/bookings/{id}/start", start),
    ("POST", "/bookings/{id}/cancel", cancel),
    ("GET", "/bookings/{id}/extend", extend_form),
    ("POST", "/bookings/{id}/extend", extend),
    ("GET", "/bookings/{id}/return", return_form),
    ("GET", "/bookings/{id}/return/events", return_events),
    ("POST", "/bookings/{id}/return", give_back),
)
