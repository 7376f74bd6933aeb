"""An invoice as HTML and as PDF: both are laid out from the same view of translated texts.

The PDF is PDF/A-2a and PDF/UA-1 (tagged, readable aloud) and needs nothing but the typst wheel with the fonts
embedded in it; the same invoice always gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import typst
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from supervision.billing import texts
from supervision.billing.invoice import Invoice, Party

TEMPLATES = Path(__file__).parent / "templates"

_html = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)


@dataclass(frozen=True, kw_only=True)
class PaymentNote:
    """Where the payment stands when the document is read: due, asked, paid, declined or refunded."""

    state: str
    at: datetime | None = None


def invoice_html(
    invoice: Invoice, *, locale: str = "fr", payment: PaymentNote | None = None, stylesheet: str | None = None
) -> str:
    """A whole HTML page without inline style; `stylesheet` is the address of the page's style sheet."""
    page = _html.get_template("invoice.html")
    return page.render(view(invoice, locale=locale, payment=payment), stylesheet=stylesheet)


def invoice_pdf(invoice: Invoice, *, locale: str = "fr", payment: PaymentNote | None = None) -> bytes:
    """The PDF file; takes some ten milliseconds of processor, so call it in a thread."""
    texts_of_page = json.dumps(view(invoice, locale=locale, payment=payment), ensure_ascii=False)
    pdf = typst.compile(
        TEMPLATES / "invoice.typ",
        sys_inputs={"view": texts_of_page},
        pdf_standards=["a-2a", "ua-1"],
        ignore_system_fonts=True,
        timestamp=int(invoice.issued_at.timestamp()),
    )
    return bytes(pdf)


def view(invoice: Invoice, *, locale: str, payment: PaymentNote | None = None) -> dict[str, Any]:
    """Every text of the document, in order of appearance; amounts and dates are already formatted."""
    lang = texts.language(locale)
    taxed = any(share.vat_cents for share in invoice.vat)
    return {
        "lang": lang,
        "words": {name: texts.WORDS[lang][name] for name in _FIXED_WORDS},
        "title": texts.word(lang, f"title_{invoice.kind}", reference=invoice.reference),
        "reference": invoice.reference,
        "heads": _heads(invoice, lang),
        "issued_year": invoice.issued_on.year,
        "issued_month": invoice.issued_on.month,
        "issued_day": invoice.issued_on.day,
        "seller": party_lines(invoice.seller, lang),
        "buyer": party_lines(invoice.buyer, lang),
        "service": _service(invoice, lang),
        "lines": _lines(invoice, lang),
        "totals": _totals(invoice, lang, taxed=taxed),
        "notes": _notes(invoice, lang, payment, taxed=taxed),
    }


_FIXED_WORDS = (
    "seller",
    "buyer",
    "lines",
    "totals",
    "head_label",
    "head_quantity",
    "head_unit",
    "head_vat",
    "head_amount",
)


def _heads(invoice: Invoice, lang: str) -> list[str]:
    heads = [texts.word(lang, "issued_on", on=texts.day(invoice.issued_on, lang))]
    if invoice.corrects:
        heads.append(texts.word(lang, "corrects", reference=invoice.corrects))
    return heads


def party_lines(party: Party, lang: str) -> list[str]:
    """Name, address and legal numbers, only those that are known."""
    numbers: Mapping[str, str] = {"siren": party.siren, "vat_id": party.vat_id}
    known = [texts.word(lang, name, **{name: value}) for name, value in numbers.items() if value]
    return [line for line in (party.name, *party.address, *known, party.email) if line]


def _service(invoice: Invoice, lang: str) -> list[str]:
    service = invoice.service

    def moment(at: datetime) -> str:
        return texts.moment(at, invoice.zone, lang)

    lines = [
        texts.word(lang, "service", vehicle=service.vehicle, station=service.station),
        texts.word(lang, "from_to", start=moment(service.start_at), end=moment(service.end_at)),
    ]
    if service.returned_at is not None:
        lines.append(texts.word(lang, "returned", at=moment(service.returned_at)))
    if service.km is not None:
        lines.append(texts.word(lang, "km", km=service.km))
    return [*lines, texts.word(lang, "booking", booking_id=service.booking_id)]


def _lines(invoice: Invoice, lang: str) -> list[dict[str, str]]:
    return [
        {
            "label": texts.line_label(line, lang),
            "quantity": texts.line_quantity(line, lang),
            "unit": texts.money(line.unit_cents, invoice.currency, lang),
            "vat": texts.percentage(line.vat_rate, lang),
            "amount": texts.money(line.amount_cents, invoice.currency, lang),
        }
        for line in invoice.lines
    ]


def _totals(invoice: Invoice, lang: str, *, taxed: bool) -> list[dict[str, str]]:
    def amount(cents: int) -> str:
        return texts.money(cents, invoice.currency, lang)

    if not taxed:
        label = texts.word(lang, "total_without_vat")
        return [{"label": label, "amount": amount(invoice.total_cents)}]
    net = sum(share.net_cents for share in invoice.vat)
    by_vat_rate = [
        {
            "label": texts.word(
                lang, "vat", vat_rate=texts.percentage(share.vat_rate, lang), net=amount(share.net_cents)
            ),
            "amount": amount(share.vat_cents),
        }
        for share in invoice.vat
    ]
    return [
        {"label": texts.word(lang, "net"), "amount": amount(net)},
        *by_vat_rate,
        {"label": texts.word(lang, "total"), "amount": amount(invoice.total_cents)},
    ]


def _notes(invoice: Invoice, lang: str, payment: PaymentNote | None, *, taxed: bool) -> list[str]:
    notes = []
    if not taxed:
        notes.append(invoice.vat_note or texts.word(lang, "vat_not_due"))
    if payment is None and invoice.payment_due_at is not None:
        payment = PaymentNote(state="due", at=invoice.payment_due_at)
    if payment is not None:
        at = "" if payment.at is None else texts.moment(payment.at, invoice.zone, lang)
        notes.append(texts.word(lang, payment.state, at=at))
    return notes
