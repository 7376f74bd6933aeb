"""From the return of a car to the paid invoice, on both databases."""

from __future__ import annotations

import asyncio
from datetime import date, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from supervision.billing.invoice import broken_links
from supervision.billing.model import Quote, Trip
from supervision.billing.payment import PaymentState
from supervision.billing.providers.payment import Intent, PaymentRequest
from supervision.billing.providers.payment.offline import Card, OfflinePayments
from supervision.billing.service import BillingService
from supervision.billing.store import StoredInvoice
from supervision.clock import FixedClock
from supervision.kernel.errors import FieldError, Refused
from supervision.kernel.events import BookingCancelled, BookingReturned, Event
from supervision.store import schema
from supervision.store.db import Database, Tx
from supervision.store.outbox import Delivery, Outbox, UndeliverableError
from tests import factories
from tests.factories import NOW, TESTS

START = NOW + timedelta(hours=1)
END = START + timedelta(hours=2)
both_databases = pytest.mark.parametrize("database_url", ["sqlite_url", "postgres_url"], indirect=True)
TERMS = {"hour_cents": 600, "booking_fee_cents": 100, "late_per_half_hour_cents": 1000, "km_cents": 20}


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """SQLite, unless the test is about what the database does."""
    return str(request.getfixturevalue(getattr(request, "param", "sqlite_url")))


async def add_tariff(db: Database, *, valid_from: date = date(2026, 1, 1), **terms: Any) -> None:
    row = {
        "id": "t1",
        "valid_from": valid_from,
        "organisation_id": "org",
        "community_id": "com",
        "terms": TERMS | terms,
    }
    await db.write(TESTS, lambda tx: tx.execute(insert(schema.tariffs).values(**row)))


async def add_returned(db: Database, booking_id: str, **values: Any) -> None:
    number = int(booking_id.removeprefix("b"))
    start_at = START + timedelta(days=number)
    returned = {
        "id": booking_id,
        "status": "returned",
        "start_at": start_at,
        "returned_at": start_at + timedelta(hours=2),
        "start_km": 1000,
        "return_km": 1030,
    }
    await db.write(TESTS, lambda tx: factories.booking(tx, **returned | values))


@pytest.fixture
async def offline(db: Database, clock: FixedClock) -> OfflinePayments:
    return OfflinePayments(db, clock)


@pytest.fixture
async def billing(db: Database, clock: FixedClock, offline: OfflinePayments) -> BillingService:
    await factories.write_service(db)
    await add_tariff(db)
    numbers = count(1)
    return BillingService(db=db, clock=clock, payments=offline, ids=lambda: f"id-{next(numbers):04d}")


def returned(booking_id: str = "b1") -> Delivery:
    return delivery(
        BookingReturned(organisation_id="org", booking_id=booking_id, vehicle_id="car-1", station_id="st")
    )


def cancelled(by: str, booking_id: str = "b1") -> Delivery:
    return delivery(
        BookingCancelled(
            organisation_id="org", booking_id=booking_id, vehicle_id="car-1", station_id="st", by=by
        )
    )


def delivery(event: Event, at: datetime = NOW) -> Delivery:
    return Delivery(id=1, event=event, at=at, attempt=1)


async def all_of(billing: BillingService) -> list[StoredInvoice]:
    return list((await billing.invoices("org")).items)


async def the_invoice(billing: BillingService) -> StoredInvoice:
    (stored,) = await all_of(billing)
    return stored


# quotes


async def test_C12_the_web_quotes_what_the_return_bills(db: Database, billing: BillingService) -> None:
    quote = await billing.quote("org", vehicle_id="car-1", start_at=START, end_at=END, km=30)
    assert isinstance(quote, Quote)
    assert quote.total_cents == 1200 + 600 + 100
    await add_returned(db, "b0")
    await billing.on_booking_ended(returned("b0"))
    billed = (await the_invoice(billing)).invoice
    assert (billed.total_cents, [(line.code, line.amount_cents) for line in billed.lines]) == (
        quote.total_cents,
        [(line.code, line.amount_cents) for line in quote.lines],
    )


async def test_C12_the_version_of_the_start_holds(db: Database, billing: BillingService) -> None:
    await add_tariff(db, valid_from=date(2027, 1, 1), hour_cents=700)
    end_of_year = datetime.fromisoformat("2026-12-31T23:30:00+01:00")
    trips = [
        Trip(start_at=at, end_at=at + timedelta(hours=2)) for at in (end_of_year, END + timedelta(days=60))
    ]
    totals = [
        (await billing.quotes("org", vehicle_ids=["car-1"], trip=trip))["car-1"].total_cents for trip in trips
    ]
    assert totals == [1300, 1500]


async def test_C13_the_vat_of_the_seller_holds(db: Database, billing: BillingService) -> None:
    legal = {"vat_rate": "0", "vat_note": "TVA non applicable, art. 256 B du CGI"}
    await db.write(TESTS, lambda tx: tx.execute(update(schema.organisations).values(legal=legal)))
    await add_returned(db, "b1")
    await billing.on_booking_ended(returned())
    invoice = (await the_invoice(billing)).invoice
    assert [(share.gross_cents, share.vat_cents) for share in invoice.vat] == [(1900, 0)]
    assert invoice.vat_note == "TVA non applicable, art. 256 B du CGI"


async def test_a_vehicle_without_tariff_is_not_quoted(db: Database, billing: BillingService) -> None:
    await db.write(TESTS, lambda tx: factories.vehicle(tx, id="car-2", evse_id=None, tariff_id=None))
    quote = await billing.quote("org", vehicle_id="car-2", start_at=START, end_at=END)
    assert quote == Refused("no_tariff", {"vehicle": "car-2"})


# invoices


@both_databases
async def test_C29_a_returned_booking_is_invoiced_with_its_facts(
    db: Database, billing: BillingService, clock: FixedClock
) -> None:
    await add_returned(db, "b1", returned_at=END + timedelta(days=1, minutes=31))
    clock.set(END + timedelta(days=1, minutes=32))
    await billing.on_booking_ended(returned())
    stored = await the_invoice(billing)
    assert stored.invoice.reference == "F2026-000001"
    assert stored.invoice.total_cents == 1200 + 600 + 2000 + 100
    assert stored.invoice.service.vehicle == "Car 1 (AA-001-AA)"
    assert stored.invoice.buyer.name == "D One"
    assert stored.payment is not None
    assert (stored.payment.state, stored.payment.amount_cents) == (PaymentState.DUE, 3900)
    assert stored.payment.due_at == END + timedelta(days=2, minutes=31)


async def test_C28_a_fault_of_our_equipment_waives_the_penalty(db: Database, billing: BillingService) -> None:
    await add_returned(db, "b1", returned_at=END + timedelta(days=1, minutes=31), fault_waived=True)
    await billing.on_booking_ended(returned())
    assert (await the_invoice(billing)).invoice.total_cents == 1200 + 600 + 100


@both_databases
async def test_C29_the_same_event_twice_makes_one_invoice(db: Database, billing: BillingService) -> None:
    await add_returned(db, "b1")
    await asyncio.gather(*(billing.on_booking_ended(returned()) for _ in range(5)))
    assert (await the_invoice(billing)).invoice.number == 1


@both_databases
async def test_C29_concurrent_invoices_are_numbered_without_gap(
    db: Database, billing: BillingService
) -> None:
    names = [f"b{number}" for number in range(24)]
    for name in names:
        await add_returned(db, name)

    async def work(mine: list[str]) -> None:
        for name in mine:
            await billing.on_booking_ended(returned(name))

    await asyncio.gather(*(work(names[first::8]) for first in range(8)))
    async with db.read("org") as reader:
        rows = await reader.all(
            select(schema.invoices).where(schema.invoices.c.organisation_id == "org").order_by("number")
        )
    assert [row["number"] for row in rows] == list(range(1, 25))
    assert broken_links([row["document"] for row in rows]) == []


@both_databases
async def test_C29_a_failed_transaction_leaves_no_gap(db: Database, billing: BillingService) -> None:
    await add_returned(db, "b1")
    await add_returned(db, "b2")
    blank = {"id": "id-0001", "organisation_id": "org", "series": "X", "number": 1, "kind": "trip"}
    taken = blank | {"person_id": "d1", "issued_at": NOW, "total_cents": 0, "document": {}}
    await db.write(TESTS, lambda tx: tx.execute(insert(schema.invoices).values(**taken)))
    with pytest.raises(Exception, match=r"(?i)unique"):
        await billing.on_booking_ended(returned("b1"))
    await billing.on_booking_ended(returned("b2"))
    async with db.read("org") as reader:
        numbers = await reader.all(
            select(schema.invoices.c.series, schema.invoices.c.number).where(
                schema.invoices.c.organisation_id == "org", schema.invoices.c.booking_id == "b2"
            )
        )
    assert numbers == [{"series": "F2026", "number": 1}]


@both_databases
@pytest.mark.parametrize(
    "statement", [update(schema.invoices).values(total_cents=1), delete(schema.invoices)]
)
async def test_C29_an_issued_invoice_cannot_be_changed(
    db: Database, billing: BillingService, statement: Any
) -> None:
    await add_returned(db, "b1")
    await billing.on_booking_ended(returned())
    with pytest.raises(Exception, match="frozen"):
        await db.write(TESTS, lambda tx: tx.execute(statement))
    assert (await the_invoice(billing)).invoice.total_cents == 1900


async def test_C33_two_organisations_have_their_own_series(db: Database, billing: BillingService) -> None:
    await add_returned(db, "b1")
    await billing.on_booking_ended(returned())
    assert (await billing.invoices("other")).items == []
    stored = await the_invoice(billing)
    assert await billing.invoice("other", stored.id) is None


async def test_C5_a_staff_trip_is_not_invoiced(db: Database, billing: BillingService) -> None:
    await add_returned(db, "b1", usage="staff")
    await billing.on_booking_ended(returned())
    assert await all_of(billing) == []


@pytest.mark.parametrize(("by", "total"), [("driver", None), ("manager", None), ("no_show", 1300)])
async def test_C13_only_a_missed_booking_is_invoiced_by_default(
    db: Database, billing: BillingService, by: str, total: int | None
) -> None:
    await add_returned(db, "b1", status="cancelled", returned_at=None, cancelled_at=NOW)
    await billing.on_booking_ended(cancelled(by))
    assert [stored.invoice.total_cents for stored in await all_of(billing)] == (
        [] if total is None else [total]
    )


async def test_a_booking_nobody_knows_is_undeliverable(billing: BillingService) -> None:
    with pytest.raises(UndeliverableError):
        await billing.on_booking_ended(returned("nothing"))


async def test_C29_the_outbox_invoices_by_itself(
    db: Database, billing: BillingService, clock: FixedClock
) -> None:
    await add_returned(db, "b1")

    async def unit(tx: Tx) -> None:
        tx.emit(returned().event)

    await db.write("org", unit)
    await Outbox(db, clock, [billing.consumer()]).drain()
    assert (await the_invoice(billing)).invoice.reference == "F2026-000001"


# money


@both_databases
async def test_C30_the_card_is_asked_once_24_hours_after_the_return(
    db: Database, billing: BillingService, offline: OfflinePayments, clock: FixedClock
) -> None:
    await add_returned(db, "b0")
    await billing.on_booking_ended(returned("b0"))
    clock.set(END + timedelta(hours=24, seconds=-1))
    assert await billing.run_due_payments() == 0
    clock.advance(seconds=1)
    await asyncio.gather(*(billing.run_due_payments() for _ in range(4)))
    assert await billing.run_due_payments() == 0
    (recorded,) = await offline.recorded("org")
    assert (recorded.request.amount_cents, recorded.request.description) == (1900, "F2026-000001")
    assert recorded.request.customer == "d1"
    payment = (await the_invoice(billing)).payment
    assert payment is not None
    assert (payment.state, payment.fee_cents, payment.settled_at) == (PaymentState.PAID, 54, clock.now())


class LostAnswers:
    """The network fails after the provider has worked: the answer of the first `lost` calls never arrives."""

    name = "offline"

    def __init__(self, offline: OfflinePayments, *, lost: int) -> None:
        self.offline = offline
        self.lost = lost

    async def create(self, request: PaymentRequest) -> Intent:
        intent = await self.offline.create(request)
        self.lost -= 1
        if self.lost >= 0:
            raise ConnectionError("no answer")
        return intent

    def __getattr__(self, name: str) -> Any:
        return getattr(self.offline, name)


async def test_C30_a_lost_answer_takes_the_money_once(
    db: Database, billing: BillingService, offline: OfflinePayments, clock: FixedClock
) -> None:
    await add_returned(db, "b0")
    unlucky = BillingService(db=db, clock=clock, payments=LostAnswers(offline, lost=2))
    await unlucky.on_booking_ended(returned("b0"))
    clock.set(END + timedelta(hours=24))
    answers = []
    for _ in range(4):
        answers.append(await unlucky.run_due_payments())
        clock.advance(minutes=10)
    assert answers == [0, 0, 1, 0]
    (recorded,) = await offline.recorded("org")
    assert recorded.intent.captured_cents == 1900


async def test_C30_a_declined_card_is_tried_again_later(
    db: Database, billing: BillingService, offline: OfflinePayments, clock: FixedClock
) -> None:
    await offline.set_card("org", "d1", Card.DECLINED)
    await add_returned(db, "b0")
    await billing.on_booking_ended(returned("b0"))
    clock.set(END + timedelta(hours=24))
    assert await billing.run_due_payments() == 1
    payment = (await the_invoice(billing)).payment
    assert payment is not None
    assert (payment.state, payment.detail) == (PaymentState.DUE, "card_declined")
    events = schema.outbox_events
    async with db.read("org") as reader:
        told = await reader.all(
            select(events.c.payload).where(
                events.c.organisation_id == "org", events.c.name == "PaymentDeclined"
            )
        )
    assert [row["payload"]["booking_id"] for row in told] == ["b0"]
    await offline.set_card("org", "d1", Card.WORKS)
    clock.set(payment.due_at)
    assert await billing.run_due_payments() == 1
    payment = (await the_invoice(billing)).payment
    assert payment is not None
    assert (payment.state, payment.attempts) == (PaymentState.PAID, 2)


@both_databases
async def test_C29_a_correction_is_a_credit_note_and_the_money_comes_back(
    db: Database, billing: BillingService, offline: OfflinePayments, clock: FixedClock
) -> None:
    await add_returned(db, "b0")
    await billing.on_booking_ended(returned("b0"))
    clock.set(END + timedelta(hours=24))
    await billing.run_due_payments()
    paid = await the_invoice(billing)
    note = await billing.credit("org", paid.id)
    assert isinstance(note, StoredInvoice)
    assert (note.invoice.reference, note.invoice.total_cents) == ("A2026-000001", -1900)
    assert await billing.credit("org", paid.id) == Refused("already_credited", {"invoice": "F2026-000001"})
    assert await billing.credit("org", note.id) == Refused("not_found", {"invoice": note.id})
    assert [await billing.run_due_payments() for _ in range(2)] == [1, 0]
    (recorded,) = await offline.recorded("org")
    assert recorded.intent.refunded_cents == 1900
    again = await billing.invoice("org", paid.id)
    assert again is not None
    assert again.payment is not None
    assert again.payment.state is PaymentState.REFUNDED


async def test_C29_an_unpaid_invoice_is_credited_without_asking_the_card(
    db: Database, billing: BillingService, offline: OfflinePayments, clock: FixedClock
) -> None:
    await add_returned(db, "b0")
    await billing.on_booking_ended(returned("b0"))
    await billing.credit("org", (await the_invoice(billing)).id)
    clock.set(END + timedelta(days=30))
    assert await billing.run_due_payments() == 0
    assert list(await offline.recorded("org")) == []


# reading


@both_databases
async def test_lists_continue_at_their_cursor_newest_first(
    db: Database, billing: BillingService, clock: FixedClock
) -> None:
    for number in range(5):
        await add_returned(db, f"b{number}")
        await billing.on_booking_ended(returned(f"b{number}"))
        clock.advance(minutes=number % 2)
    seen, after = [], None
    while True:
        page = await billing.invoices("org", limit=2, after=after)
        seen.append([stored.invoice.number for stored in page.items])
        after = page.next
        if after is None:
            break
    assert seen == [[5, 4], [3, 2], [1]]


@pytest.mark.parametrize("cursor", ["x", "1", "-1.a", "99999999999999999.a", "１.a"])
async def test_a_wrong_cursor_is_refused(billing: BillingService, cursor: str) -> None:
    with pytest.raises(FieldError, match="after"):
        await billing.invoices("org", after=cursor)


async def test_a_driver_sees_only_their_own(db: Database, billing: BillingService) -> None:
    await db.write(TESTS, lambda tx: factories.driver(tx, id="d2", name="D Two"))
    await add_returned(db, "b1")
    await add_returned(db, "b2", driver_id="d2")
    for name in ("b1", "b2"):
        await billing.on_booking_ended(returned(name))
    (mine,) = (await billing.invoices("org", person_id="d2")).items
    assert mine.booking_id == "b2"
    assert await billing.invoice("org", mine.id, person_id="d1") is None
    assert await billing.invoice("org", mine.id, person_id="d2") == mine


async def test_C29_both_documents_show_the_payment(
    db: Database, billing: BillingService, clock: FixedClock
) -> None:
    await add_returned(db, "b0")
    await billing.on_booking_ended(returned("b0"))
    clock.set(END + timedelta(hours=24))
    await billing.run_due_payments()
    stored = await the_invoice(billing)
    assert "Payée par carte le 22 nov. 2026 12:00." in billing.html(stored)
    assert (await billing.pdf(stored, locale="en")).startswith(b"%PDF-")
