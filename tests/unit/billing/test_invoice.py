"""Frozen invoices: numbers, credit notes, the chain that shows a change."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from supervision.billing.invoice import (
    broken_links,
    credit,
    digest,
    invoice_document,
    parse_invoice,
    payment_due_at,
    series_of,
)
from tests.unit.billing.examples import PARIS, START, TARIFF, TRIP, invoice


def test_C29_an_invoice_survives_being_stored_as_json() -> None:
    stored = json.loads(json.dumps(invoice_document(invoice())))
    assert parse_invoice(stored) == invoice()
    assert stored["reference"] == "F2026-000042"


def test_C29_series_follow_the_local_year() -> None:
    new_year_in_paris = datetime(2026, 12, 31, 23, 0, tzinfo=UTC)
    assert series_of("trip", new_year_in_paris, PARIS) == "F2027"
    assert series_of("trip", new_year_in_paris - timedelta(seconds=1), PARIS) == "F2026"


def test_C29_a_credit_note_takes_back_the_whole_invoice() -> None:
    note = credit(invoice(), number=1, issued_at=START + timedelta(days=60), previous_digest="0" * 64)
    assert (note.reference, note.corrects) == ("A2027-000001", "F2026-000042")
    assert note.issued_on == date(2027, 1, 20)
    assert note.total_cents == -invoice().total_cents
    assert note.total_cents == sum(line.amount_cents for line in note.lines)
    assert [share.gross_cents for share in note.vat] == [-share.gross_cents for share in invoice().vat]


def test_C30_payment_is_due_a_day_after_the_real_return() -> None:
    assert payment_due_at(TARIFF, TRIP) == START + timedelta(hours=7 + 24, minutes=1)
    early = replace(TRIP, returned_at=START + timedelta(hours=1))
    assert payment_due_at(TARIFF, early) == START + timedelta(hours=25)


def test_C30_payment_of_a_missed_trip_is_due_a_day_after_its_end_or_cancellation() -> None:
    missed = replace(TRIP, returned_at=None, outcome="no_show")
    assert payment_due_at(TARIFF, missed) == TRIP.end_at + timedelta(hours=24)
    cancelled = replace(missed, outcome="cancelled", cancelled_at=START)
    assert payment_due_at(TARIFF, cancelled) == START + timedelta(hours=24)


def test_C29_a_changed_or_missing_invoice_breaks_the_chain() -> None:
    documents = []
    previous = "0" * 64
    for number in range(1, 5):
        documents.append(invoice_document(invoice(number=number, previous=previous)))
        previous = digest(documents[-1])
    assert broken_links(documents) == []
    assert broken_links([documents[0], *documents[2:]]) == ["F2026-000003"]
    forged = [documents[0], documents[1] | {"total_cents": 1}, *documents[2:]]
    assert broken_links(forged) == ["F2026-000003"]
