"""Invoices as the driver's pages show them; the frozen document says everything."""

from __future__ import annotations

from urllib.parse import urlencode

from supervision.accounts.model import Identity
from supervision.accounts.rules import may_see_money, organisations_of
from supervision.billing.invoice import Party
from supervision.billing.payment import PaymentState
from supervision.billing.store import StoredInvoice
from supervision.services import Services
from supervision.web.views.driver_model import InvoiceSummary, InvoicesView, InvoiceView, VatLine
from supervision.web.views.price import price_lines

PAGE = 30


async def invoices_view(
    services: Services, identity: Identity, *, organisation: str, after: str
) -> InvoicesView:
    """Compose the list: the person's own invoices, organisation by organisation, newest first."""
    mine = organisations_of(identity.person)
    wanted = [organisation] if organisation in mine else mine
    items: list[InvoiceSummary] = []
    more = ""
    for organisation_id in wanted:
        page = await services.billing.invoices(
            organisation_id, person_id=identity.person.id, limit=PAGE, after=after or None
        )
        items += [_summary(stored) for stored in page.items]
        if page.next and not more:
            more = f"/invoices?{urlencode({'organisation': organisation_id, 'after': page.next})}"
    return InvoicesView(invoices=tuple(items), more=more)


async def find_invoice(services: Services, identity: Identity, invoice_id: str) -> StoredInvoice | None:
    """Return an invoice the person may read: their own, or any for those who see money."""
    for organisation_id in organisations_of(identity.person):
        owner = None if may_see_money(identity, organisation_id) else identity.person.id
        stored = await services.billing.invoice(organisation_id, invoice_id, person_id=owner)
        if stored is not None:
            return stored
    return None


def invoice_view(stored: StoredInvoice, language: str) -> InvoiceView:
    """Compose the page of one invoice."""
    invoice, zone = stored.invoice, stored.invoice.zone
    due = stored.payment.due_at if stored.payment and stored.payment.state is PaymentState.DUE else None
    return InvoiceView(
        id=stored.id,
        number=invoice.reference,
        issued_at=invoice.issued_at.astimezone(zone),
        state=_state(stored),
        seller=_party(invoice.seller),
        buyer=_party(invoice.buyer),
        booking=stored.booking_id or "",
        vehicle=invoice.service.vehicle,
        start=invoice.service.start_at.astimezone(zone),
        end=invoice.service.end_at.astimezone(zone),
        lines=price_lines(invoice.lines, language),
        vat=tuple(
            VatLine(percent=float(share.vat_rate * 100), net_cents=share.net_cents, vat_cents=share.vat_cents)
            for share in invoice.vat
        ),
        total_cents=invoice.total_cents,
        due_at=due.astimezone(zone) if due else None,
        corrects=invoice.corrects,
    )


def _summary(stored: StoredInvoice) -> InvoiceSummary:
    return InvoiceSummary(
        id=stored.id,
        number=stored.invoice.reference,
        issued_on=stored.invoice.issued_on,
        total_cents=stored.invoice.total_cents,
        state=_state(stored),
        what=stored.invoice.service.vehicle,
    )


def _state(stored: StoredInvoice) -> str:
    return "none" if stored.payment is None else stored.payment.state.value


def _party(party: Party) -> tuple[str, ...]:
    facts = (f"SIREN {party.siren}" if party.siren else "", party.vat_id, party.email)
    return (party.name, *party.address, *(fact for fact in facts if fact))
