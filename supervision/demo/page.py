"""The page /street of the demo: a button for every act that needs hands, for the visitor's bookings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from supervision.booking.model import Booking, BookingStatus
from supervision.demo import towns
from supervision.demo.street import VISITOR, Street
from supervision.kernel.errors import Refused
from supervision.kernel.timespan import format_instant

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TRIP_KM = 20


@dataclass(frozen=True, kw_only=True)
class Row:
    """One booking of the visitor with what can be done now."""

    id: str
    title: str
    status: str
    code: str
    acts: tuple[str, ...]


class StreetPage:
    """Shows the visitor's bookings and performs the acts."""

    def __init__(self, street: Callable[[], Street]) -> None:
        self._street = street

    def routes(self) -> list[Route]:
        """Return the routes of the page."""
        return [
            Route("/street", self._show, methods=["GET"]),
            Route("/street/{id}", self._act, methods=["POST"]),
        ]

    async def _show(self, request: Request) -> Response:
        rows = [await self._row(booking) for booking in await self._bookings()]
        text = _ENVIRONMENT.get_template("street.html").render(
            rows=rows, told=request.query_params.get("told", ""), now=format_instant(self._now())
        )
        return HTMLResponse(text)

    async def _act(self, request: Request) -> Response:
        if request.headers.get("sec-fetch-site") not in (None, "same-origin", "none"):
            return Response(status_code=403)
        form = await request.form(max_files=0, max_fields=5)
        found = [booking for booking in await self._bookings() if booking.id == request.path_params["id"]]
        act = self._acts().get(str(form.get("act", "")))
        if not found or act is None:
            return RedirectResponse("/street?told=nothing", 303)
        refused = await act(found[0])
        told = refused.code if isinstance(refused, Refused) else "done"
        return RedirectResponse(f"/street?told={told}", 303)

    def _acts(self) -> Mapping[str, Callable[[Booking], Awaitable[Refused | None]]]:
        street = self._street()

        async def drive(booking: Booking) -> None:
            await street.drive(booking, _TRIP_KM)

        async def plug(booking: Booking) -> None:
            await street.plug(booking)

        return {"fetch": street.fetch, "drive": drive, "plug": plug, "bring": street.bring}

    async def _bookings(self) -> list[Booking]:
        found = await self._street().services.bookings.of_driver(
            self._street().people.ask(VISITOR), towns.ORGANISATION, VISITOR, limit=20
        )
        return [] if isinstance(found, Refused) else found

    async def _row(self, booking: Booking) -> Row:
        street = self._street()
        vehicle = await street.vehicle(booking)
        digits = await street.services.access.digits_to_send(booking.organisation_id, booking.id)
        acts = {
            BookingStatus.BOOKED: ("fetch",) if digits else (),
            BookingStatus.ACTIVE: ("drive", "plug", "bring"),
        }
        return Row(
            id=booking.id,
            title=f"{vehicle.name} · {format_instant(booking.start_at)} – {format_instant(booking.end_at)}",
            status=booking.status.value,
            code=digits or "",
            acts=acts.get(booking.status, ()),
        )

    def _now(self) -> datetime:
        return self._street().services.clock.now()
