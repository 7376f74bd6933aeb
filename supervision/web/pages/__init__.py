"""Handlers of the pages: thin, no SQL, no rules. `ROUTES` lists every address of the portal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.responses import Response

from supervision.web.pages import (
    account,
    batches,
    booking,
    devices,
    driving,
    invoices,
    machine,
    supervision,
)
from supervision.web.visit import Visit

Page = Callable[[Visit], Awaitable[Response]]
# Everything else wants somebody signed in, before the handler looks at anything.
PUBLIC = frozenset({"/login", "/preferences", "/offline"})
ROUTES: tuple[tuple[str, str, Page], ...] = (
    *account.ROUTES,
    *driving.ROUTES,
    *booking.ROUTES,
    *invoices.ROUTES,
    *supervision.ROUTES,
    *devices.ROUTES,
    *batches.ROUTES,
    *machine.ROUTES,
)
