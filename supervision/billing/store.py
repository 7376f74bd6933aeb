"""Rows of billing <-> values; every statement names the organisation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import and_, insert, or_, select, update
from sqlalchemy.sql import ColumnElement

from supervision.billing.invoice import (
    FIRST_DIGEST,
    Invoice,
    Kind,
    Party,
    digest,
    invoice_document,
    parse_invoice,
    series_of,
)
from supervision.billing.model import NORMAL_VAT_RATE, Tariff
from supervision.billing.payment import ANSWER_WITHIN, Payment, PaymentState
from supervision.billing.tariff import parse_tariff, tariff_at
from supervision.kernel.errors import FieldError
from supervision.kernel.timespan import from_millis, to_millis
from supervision.store.db import Reader, Tx
from supervision.store.schema import (
    bookings,
    communities,
    invoice_series,
    invoices,
    organisations,
    payments,
    people,
    stations,
    tariffs,
    vehicles,
)


@dataclass(frozen=True, kw_only=True)
class Seller:
    """The organisation as seller: what its invoices print, and its VAT."""

    party: Party
    vat_rate: Decimal
    vat_note: str


@dataclass(frozen=True, kw_only=True)
class StoredInvoice:
    """An invoice with its place in the database and the state of its payment."""

    id: str
    person_id: str
    booking_id: str | None
    invoice: Invoice
    payment: Payment | None


@dataclass(frozen=True, kw_only=True)
class InvoicePage:
    """Some invoices, newest first; `next` continues the list, None at its end."""

    items: Sequence[StoredInvoice]
    next: str | None


# sellers and tariffs


async def seller(reader: Reader, organisation_id: str) -> Seller:
    """Read the organisation's `legal` data: name, address, siren, vat_id, vat_rate, vat_note, email."""
    row = await reader.first(select(organisations).where(organisations.c.id == organisation_id))
    assert row is not None  # noqa: S101 - every tenanted row refers to it
    legal = row["legal"] or {}
    address = legal.get("address", ())
    return Seller(
        party=Party(
            id=row["id"],
            name=legal.get("name", row["name"]),
            address=tuple(address.splitlines() if isinstance(address, str) else address),
            siren=str(legal.get("siren", "")),
            vat_id=str(legal.get("vat_id", "")),
            email=str(legal.get("email", "")),
        ),
        vat_rate=Decimal(str(legal.get("vat_rate", NORMAL_VAT_RATE))),
        vat_note=str(legal.get("vat_note", "")),
    )


async def tariff_versions(
    reader: Reader, organisation_id: str, ids: Iterable[str]
) -> dict[str, list[Tariff]]:
    """Every version of the named tariffs, by id."""
    rows = await reader.all(
        select(tariffs).where(
            tariffs.c.organisation_id == organisation_id, tariffs.c.id.in_(sorted(set(ids)))
        )
    )
    versions: dict[str, list[Tariff]] = {}
    for row in rows:
        known = {
            "id": row["id"],
            "valid_from": row["valid_from"].isoformat(),
            "community": row["community_id"],
        }
        tariff = parse_tariff({**row["terms"], **known}, f"tariffs.{row['id']}")
        versions.setdefault(row["id"], []).append(tariff)
    return versions


@dataclass(frozen=True, kw_only=True)
class Priced:
    """What is needed to price trips of one vehicle."""

    vehicle_id: str
    versions: Sequence[Tariff]
    zone: ZoneInfo

    def tariff(self, start_at: datetime) -> Tariff | None:
        """The version that holds on the local day of the start."""
        return tariff_at(self.versions, start_at, self.zone)


async def priced_vehicles(reader: Reader, organisation_id: str, ids: Iterable[str]) -> dict[str, Priced]:
    """Tariff versions and zone of vehicles, by vehicle id."""
    rows = await reader.all(
        select(vehicles.c.id, vehicles.c.tariff_id, communities.c.zone)
        .join(stations, stations.c.id == vehicles.c.station_id)
        .join(communities, communities.c.id == stations.c.community_id)
        .where(
            vehicles.c.organisation_id == organisation_id,
            stations.c.organisation_id == organisation_id,
            communities.c.organisation_id == organisation_id,
            vehicles.c.id.in_(sorted(set(ids))),
        )
    )
    versions = await tariff_versions(
        reader, organisation_id, [row["tariff_id"] for row in rows if row["tariff_id"]]
    )
    return {
        row["id"]: Priced(
            vehicle_id=row["id"],
            versions=versions.get(row["tariff_id"], []),
            zone=ZoneInfo(row["zone"]),
        )
        for row in rows
    }


# bookings


async def booking_facts(reader: Reader, organisation_id: str, booking_id: str) -> dict[str, Any] | None:
    """The booking with the names its invoice prints."""
    return await reader.first(
        select(
            bookings,
            vehicles.c.name.label("vehicle_name"),
            vehicles.c.plate,
            vehicles.c.tariff_id.label("vehicle_tariff_id"),
            stations.c.name.label("station_name"),
            communities.c.zone,
            people.c.name.label("driver_name"),
            people.c.email.label("driver_email"),
        )
        .join(vehicles, vehicles.c.id == bookings.c.vehicle_id)
        .join(stations, stations.c.id == bookings.c.station_id)
        .join(communities, communities.c.id == bookings.c.community_id)
        .join(people, people.c.id == bookings.c.driver_id)
        .where(
            bookings.c.id == booking_id,
            bookings.c.organisation_id == organisation_id,
            vehicles.c.organisation_id == organisation_id,
            stations.c.organisation_id == organisation_id,
            communities.c.organisation_id == organisation_id,
        )
    )


# invoices


@dataclass(frozen=True, kw_only=True)
class Place:
    """The next place in a series, taken in this transaction."""

    number: int
    previous_digest: str


async def next_place(tx: Tx, organisation_id: str, kind: Kind, issued_at: datetime, zone: ZoneInfo) -> Place:
    """Take the next number of the series; undoing the transaction gives it back, so no gap remains."""
    series = series_of(kind, issued_at, zone)
    of_series = and_(invoice_series.c.organisation_id == organisation_id, invoice_series.c.series == series)
    number = await tx.scalar(
        update(invoice_series)
        .where(of_series)
        .values(last_number=invoice_series.c.last_number + 1)
        .returning(invoice_series.c.last_number)
    )
    if number is None:
        first = {"organisation_id": organisation_id, "series": series, "last_number": 1}
        await tx.execute(insert(invoice_series).values(**first))
        return Place(number=1, previous_digest=FIRST_DIGEST)
    before = await tx.scalar(
        select(invoices.c.document).where(
            invoices.c.organisation_id == organisation_id,
            invoices.c.series == series,
            invoices.c.number == number - 1,
        )
    )
    return Place(number=number, previous_digest=digest(before))


async def add_invoice(
    tx: Tx, organisation_id: str, invoice: Invoice, *, invoice_id: str, booking_id: str | None, person_id: str
) -> None:
    """Write a frozen invoice; the schema refuses any later change."""
    row = {
        "id": invoice_id,
        "organisation_id": organisation_id,
        "series": invoice.series,
        "number": invoice.number,
        "kind": invoice.kind,
        "booking_id": booking_id,
        "person_id": person_id,
        "issued_at": invoice.issued_at,
        "total_cents": invoice.total_cents,
        "document": invoice_document(invoice),
    }
    await tx.execute(insert(invoices).values(**row))


async def invoice_of_booking(
    reader: Reader, organisation_id: str, booking_id: str, kind: Kind
) -> StoredInvoice | None:
    """The invoice (or credit note) of a booking."""
    found = await _invoices(
        reader, organisation_id, invoices.c.booking_id == booking_id, invoices.c.kind == kind, limit=1
    )
    return found[0] if found else None


async def invoice_by_id(reader: Reader, organisation_id: str, invoice_id: str) -> StoredInvoice | None:
    """One invoice."""
    found = await _invoices(reader, organisation_id, invoices.c.id == invoice_id, limit=1)
    return found[0] if found else None


async def invoice_page(
    reader: Reader, organisation_id: str, *, person_id: str | None, limit: int, after: str | None
) -> InvoicePage:
    """Invoices of the organisation, or of one person in it, newest first."""
    conditions: list[ColumnElement[bool]] = []
    if person_id is not None:
        conditions.append(invoices.c.person_id == person_id)
    if after is not None:
        conditions.append(_older_than(after))
    found = await _invoices(reader, organisation_id, *conditions, limit=limit + 1)
    items = found[:limit]
    more = len(found) > limit
    return InvoicePage(items=items, next=_cursor(items[-1]) if more else None)


def _cursor(stored: StoredInvoice) -> str:
    return f"{to_millis(stored.invoice.issued_at)}.{stored.id}"


def _older_than(cursor: str) -> ColumnElement[bool]:
    millis, dot, invoice_id = cursor.partition(".")
    if not (dot and millis.isascii() and millis.isdecimal() and len(millis) < 15):  # noqa: PLR2004 - more digits overflow a date
        raise FieldError("after", "not a cursor of this list")
    issued_at = from_millis(int(millis))
    return or_(
        invoices.c.issued_at < issued_at,
        and_(invoices.c.issued_at == issued_at, invoices.c.id < invoice_id),
    )


async def _invoices(
    reader: Reader, organisation_id: str, *conditions: ColumnElement[bool], limit: int
) -> list[StoredInvoice]:
    rows = await reader.all(
        select(invoices)
        .where(invoices.c.organisation_id == organisation_id, *conditions)
        .order_by(invoices.c.issued_at.desc(), invoices.c.id.desc())
        .limit(limit)
    )
    paid = await _payments_of(reader, organisation_id, [row["id"] for row in rows])
    return [
        StoredInvoice(
            id=row["id"],
            person_id=row["person_id"],
            booking_id=row["booking_id"],
            invoice=parse_invoice(row["document"]),
            payment=paid.get(row["id"]),
        )
        for row in rows
    ]


# payments


def payment_from(row: Mapping[str, Any]) -> Payment:
    """Build a payment from its row."""
    values = {name: row[name] for name in Payment.__dataclass_fields__}
    return Payment(**values | {"state": PaymentState(row["state"])})


async def _payments_of(
    reader: Reader, organisation_id: str, invoice_ids: Sequence[str]
) -> dict[str, Payment]:
    if not invoice_ids:
        return {}
    rows = await reader.all(
        select(payments).where(
            payments.c.organisation_id == organisation_id, payments.c.invoice_id.in_(invoice_ids)
        )
    )
    return {row["invoice_id"]: payment_from(row) for row in rows}


async def payment_by_id(reader: Reader, organisation_id: str, payment_id: str) -> Payment | None:
    """One payment."""
    row = await reader.first(
        select(payments).where(payments.c.organisation_id == organisation_id, payments.c.id == payment_id)
    )
    return None if row is None else payment_from(row)


async def add_payment(tx: Tx, payment: Payment) -> None:
    """Write a new payment."""
    await tx.execute(insert(payments).values(**vars(payment) | {"state": payment.state.value}))


async def save_payment(tx: Tx, payment: Payment) -> None:
    """Write a changed payment."""
    await tx.execute(
        update(payments)
        .where(payments.c.organisation_id == payment.organisation_id, payments.c.id == payment.id)
        .values(**vars(payment) | {"state": payment.state.value})
    )


async def due_payments(reader: Reader, now: datetime, *, limit: int) -> list[Payment]:
    """Payments of every organisation that need the provider now; the reader spans all tenants."""
    unanswered = and_(
        payments.c.state == PaymentState.ASKED.value, payments.c.asked_at <= now - ANSWER_WITHIN
    )
    due = and_(payments.c.state == PaymentState.DUE.value, payments.c.due_at <= now)
    rows = await reader.all(
        select(payments)
        .where(or_(due, unanswered, payments.c.state == PaymentState.REFUND_DUE.value))
        .order_by(payments.c.due_at, payments.c.id)
        .limit(limit)
    )
    return [payment_from(row) for row in rows]
