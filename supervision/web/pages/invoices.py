"""Invoices of the driver: list, page, PDF."""

from __future__ import annotations

from starlette.responses import Response

from supervision.billing.store import StoredInvoice
from supervision.kernel.errors import FieldError
from supervision.web.views.invoices import find_invoice, invoice_view, invoices_view
from supervision.web.visit import PageError, Visit


async def mine(visit: Visit) -> Response:
    """List the person's invoices."""
    try:
        view = await invoices_view(
            visit.services,
            visit.signed_in,
            organisation=visit.query.get("organisation", ""),
            after=visit.query.get("after", ""),
        )
    except FieldError:
        raise PageError(404) from None
    return visit.render("invoices.html", view)


async def show(visit: Visit) -> Response:
    """Show one invoice."""
    return visit.render("invoice.html", invoice_view(await _found(visit), visit.language))


async def pdf(visit: Visit) -> Response:
    """Send the document."""
    stored = await _found(visit)
    content = await visit.services.billing.pdf(stored, locale=visit.language)
    name = f'inline; filename="{stored.invoice.reference}.pdf"'
    return Response(content, media_type="application/pdf", headers={"Content-Disposition": name})


async def _found(visit: Visit) -> StoredInvoice:
    stored = await find_invoice(visit.services, visit.signed_in, visit.path["id"])
    if stored is None:
        raise PageError(404)
    return stored


ROUTES = (
    ("GET", "/invoices", mine),
    ("GET", "/invoices/{id}.pdf", pdf),
    ("GET", "/invoices/{id}", show),
)
