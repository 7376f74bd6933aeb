"""Invoices as frozen values: what is written in one never changes, a correction is a credit note (C29).

An invoice is kept as the JSON document of `invoice_document`. Each document holds the digest of the one
before it in its series, so that a row changed or removed afterwards shows (`broken_links`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

from supervision.billing.model import Line, Quote, Tariff, Trip, VatShare
from supervision.billing.pricing import vat_shares
from supervision.billing.quote import line_document, vat_document
from supervision.kernel.timespan import format_instant, parse_instant

Kind = Literal["trip", "credit"]
SERIES_LETTER: Mapping[Kind, str] = {"trip": "F", "credit": "A"}  # facture, avoir
FIRST_DIGEST = "0" * 64


@dataclass(frozen=True, kw_only=True)
class Party:
    """Seller or buyer as printed; what is empty is not printed."""

    id: str
    name: str
    address: tuple[str, ...] = ()
    siren: str = ""
    vat_id: str = ""
    email: str = ""


@dataclass(frozen=True, kw_only=True)
class Service:
    """The trip an invoice is about."""

    booking_id: str
    vehicle: str
    station: str
    start_at: datetime
    end_at: datetime
    returned_at: datetime | None = None
    km: int | None = None


@dataclass(frozen=True, kw_only=True)
class Invoice:
    """A frozen invoice or credit note; `vat_note` is the legal mention of a seller without VAT."""

    kind: Kind
    series: str
    number: int
    issued_at: datetime
    issued_on: date
    zone: ZoneInfo
    seller: Party
    buyer: Party
    service: Service
    lines: tuple[Line, ...]
    vat: tuple[VatShare, ...]
    total_cents: int
    fee_cents: int
    currency: str
    vat_note: str
    payment_due_at: datetime | None
    corrects: str = ""
    previous_digest: str = FIRST_DIGEST

    @property
    def reference(self) -> str:
        """The number as printed: series and place in it, e.g. F2026-000042."""
        return f"{self.series}-{self.number:06d}"


def series_of(kind: Kind, issued_at: datetime, zone: ZoneInfo) -> str:
    """Series of an invoice: its kind and the local year of issue; numbers in it have no gaps."""
    return f"{SERIES_LETTER[kind]}{issued_at.astimezone(zone).year}"


def freeze(
    *,
    quote: Quote,
    seller: Party,
    buyer: Party,
    service: Service,
    number: int,
    issued_at: datetime,
    zone: ZoneInfo,
    vat_note: str = "",
    payment_due_at: datetime | None = None,
    previous_digest: str = FIRST_DIGEST,
) -> Invoice:
    """Make the invoice of a priced trip; the number was allocated in the same database transaction."""
    return Invoice(
        kind="trip",
        series=series_of("trip", issued_at, zone),
        number=number,
        issued_at=issued_at,
        issued_on=issued_at.astimezone(zone).date(),
        zone=zone,
        seller=seller,
        buyer=buyer,
        service=service,
        lines=tuple(quote.lines),
        vat=tuple(quote.vat),
        total_cents=quote.total_cents,
        fee_cents=quote.fee_cents,
        currency=quote.currency,
        vat_note=vat_note,
        payment_due_at=payment_due_at,
        previous_digest=previous_digest,
    )


def credit(invoice: Invoice, *, number: int, issued_at: datetime, previous_digest: str) -> Invoice:
    """Make the credit note that takes back a whole invoice: the same lines, negative."""
    lines = tuple(
        replace(line, unit_cents=-line.unit_cents, amount_cents=-line.amount_cents) for line in invoice.lines
    )
    return replace(
        invoice,
        kind="credit",
        series=series_of("credit", issued_at, invoice.zone),
        number=number,
        issued_at=issued_at,
        issued_on=issued_at.astimezone(invoice.zone).date(),
        lines=lines,
        vat=vat_shares(lines),
        total_cents=-invoice.total_cents,
        fee_cents=-invoice.fee_cents,
        payment_due_at=None,
        corrects=invoice.reference,
        previous_digest=previous_digest,
    )


def payment_due_at(tariff: Tariff, trip: Trip) -> datetime:
    """When the card is asked: a delay after the real end, not the planned one (C30)."""
    ended_at = trip.returned_at or trip.cancelled_at or trip.end_at
    return ended_at + timedelta(hours=tariff.payment_delay_h)


# the document kept in the database


def invoice_document(invoice: Invoice) -> dict[str, Any]:
    """JSON-ready values from which `parse_invoice` reads the same invoice again."""
    document = {name: getattr(invoice, name) for name in Invoice.__dataclass_fields__}
    service = vars(invoice.service)
    return document | {
        "reference": invoice.reference,
        "issued_at": format_instant(invoice.issued_at),
        "issued_on": invoice.issued_on.isoformat(),
        "zone": invoice.zone.key,
        "seller": _party_document(invoice.seller),
        "buyer": _party_document(invoice.buyer),
        "service": service | {name: _instant_text(service[name]) for name in SERVICE_INSTANTS},
        "lines": [line_document(line) for line in invoice.lines],
        "vat": [vat_document(share) for share in invoice.vat],
        "payment_due_at": _instant_text(invoice.payment_due_at),
    }


SERVICE_INSTANTS = ("start_at", "end_at", "returned_at")


def _party_document(party: Party) -> dict[str, Any]:
    return vars(party) | {"address": list(party.address)}


def _instant_text(instant: datetime | None) -> str | None:
    return None if instant is None else format_instant(instant)


def parse_invoice(document: Mapping[str, Any]) -> Invoice:
    """Read a document this program wrote."""
    values = {name: value for name, value in document.items() if name != "reference"}
    service = document["service"]
    return Invoice(
        **values
        | {
            "issued_at": parse_instant(document["issued_at"]),
            "issued_on": date.fromisoformat(document["issued_on"]),
            "zone": ZoneInfo(document["zone"]),
            "seller": _party(document["seller"]),
            "buyer": _party(document["buyer"]),
            "service": Service(**service | {name: _instant(service[name]) for name in SERVICE_INSTANTS}),
            "lines": tuple(Line(**_with_vat_rate(line)) for line in document["lines"]),
            "vat": tuple(VatShare(**_with_vat_rate(share)) for share in document["vat"]),
            "payment_due_at": _instant(document["payment_due_at"]),
        }
    )


def _party(document: Mapping[str, Any]) -> Party:
    return Party(**{**document, "address": tuple(document["address"])})


def _instant(text: str | None) -> datetime | None:
    return None if text is None else parse_instant(text)


def _with_vat_rate(document: Mapping[str, Any]) -> dict[str, Any]:
    return {**document, "vat_rate": Decimal(document["vat_rate"])}


def digest(document: Mapping[str, Any]) -> str:
    """SHA-256 of a document in one spelling (sorted keys, no spaces)."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def broken_links(documents: Sequence[Mapping[str, Any]]) -> list[str]:
    """References of the invoices of one series, in order, that do not continue the one before them."""
    broken = []
    expected_number, expected_digest = 1, FIRST_DIGEST
    for document in documents:
        if (document["number"], document["previous_digest"]) != (expected_number, expected_digest):
            broken.append(str(document["reference"]))
        expected_number, expected_digest = document["number"] + 1, digest(document)
    return broken
