"""API: invoices, one's own or, for those who may see money, the organisation's."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from supervision.accounts import rules
from supervision.billing.quote import line_document, vat_document
from supervision.billing.store import StoredInvoice
from supervision.kernel.timespan import format_instant
from supervision.web.api.operation import ApiError, Call, Operation
from supervision.web.api.schemas import page_of, ref


async def list_invoices(call: Call) -> object:
    """Return invoices, newest first."""
    organisation_id = call.query.get("organisation") or next(iter(call.organisations), "")
    if organisation_id not in call.organisations:
        raise ApiError(404, "organisation_unknown", f"unknown organisation {organisation_id!r}")
    all_of_them = rules.may_see_money(call.identity, organisation_id)
    page = await call.services.billing.invoices(
        organisation_id,
        person_id=None if all_of_them else call.identity.person.id,
        limit=call.limit,
        after=call.after,
    )
    return {"items": [_document(stored) for stored in page.items], "next": page.next}


async def get_invoice(call: Call) -> object:
    """Return one invoice with its lines and its tax."""
    stored = await _find(call, call.path["id"])
    invoice = stored.invoice
    return {
        **_document(stored),
        "currency": invoice.currency,
        "lines": [line_document(line) for line in invoice.lines],
        "fee_cents": invoice.fee_cents,
        "vat": [vat_document(share) for share in invoice.vat],
        "corrects": invoice.corrects or None,
    }


async def get_invoice_pdf(call: Call) -> object:
    """Return one invoice as PDF."""
    stored = await _find(call, call.path["id"])
    content = await call.services.billing.pdf(stored, locale=call.identity.person.locale)
    name = stored.invoice.reference.replace("/", "-")
    return Response(
        content,
        media_type="application/pdf",
        headers={"Content-Disposition": f'attachment; filename="{name}.pdf"'},
    )


async def _find(call: Call, invoice_id: str) -> StoredInvoice:
    for organisation_id in call.organisations:
        all_of_them = rules.may_see_money(call.identity, organisation_id)
        person_id = None if all_of_them else call.identity.person.id
        stored = await call.services.billing.invoice(organisation_id, invoice_id, person_id=person_id)
        if stored is not None:
            return stored
    raise ApiError(404, "invoice_unknown", f"unknown invoice {invoice_id!r}")


def _document(stored: StoredInvoice) -> dict[str, Any]:
    return {
        "id": stored.id,
        "number": stored.invoice.reference,
        "kind": stored.invoice.kind,
        "booking": stored.booking_id,
        "person": stored.person_id,
        "issued_at": format_instant(stored.invoice.issued_at),
        "total_cents": stored.invoice.total_cents,
        "payment": None if stored.payment is None else stored.payment.state.value,
    }


OPERATIONS = (
    Operation(
        method="GET",
        path="/invoices",
        summary="Invoices, newest first",
        handler=list_invoices,
        query={
            "organisation": "Id; default: the caller's first organisation",
            "limit": "Page length",
            "after": "Cursor",
        },
        answer=page_of("Invoice"),
        tag="invoices",
    ),
    # Before the plain id, which would take "….pdf" for an id.
    Operation(
        method="GET",
        path="/invoices/{id}.pdf",
        summary="One invoice as PDF",
        handler=get_invoice_pdf,
        answer={},
        media_type="application/pdf",
        tag="invoices",
    ),
    Operation(
        method="GET",
        path="/invoices/{id}",
        summary="One invoice with its lines and its tax",
        handler=get_invoice,
        answer=ref("InvoiceDocument"),
        tag="invoices",
    ),
)
