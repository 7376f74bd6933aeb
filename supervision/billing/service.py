"""Use cases of billing: quote a booking, invoice it after the return, collect the money, take it back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from supervision.billing import store
from supervision.billing.document import PaymentNote, invoice_html, invoice_pdf
from supervision.billing.invoice import Invoice, Party, Service, credit, freeze, payment_due_at
from supervision.billing.model import Outcome, Quote, Tariff, Trip
from supervision.billing.payment import (
    Payment,
    PaymentState,
    answered,
    asked,
    credited,
    is_due,
    refunded,
    refused,
)
from supervision.billing.pricing import price
from supervision.billing.providers.payment import (
    Intent,
    IntentState,
    PaymentCallError,
    PaymentProvider,
    PaymentRequest,
)
from supervision.billing.store import InvoicePage, Priced, Seller, StoredInvoice
from supervision.chance import new_id
from supervision.clock import Clock
from supervision.kernel.errors import Refused
from supervision.kernel.events import (
    BookingCancelled,
    BookingEvent,
    BookingReturned,
    InvoiceIssued,
    PaymentDeclined,
)
from supervision.log import Log
from supervision.store.db import Database, Tx, across_tenants
from supervision.store.outbox import Consumer, Delivery, UndeliverableError

log = Log("supervision.billing")

DUE_BATCH: Final = 100
MOST_PER_PAGE: Final = 200
_SWEEP: Final = across_tenants("due payments of every organisation; each row names its own")


class BillingService:
    """Billing of every organisation."""

    def __init__(
        self, *, db: Database, clock: Clock, payments: PaymentProvider, ids: Callable[[], str] = new_id
    ) -> None:
        self._db = db
        self._clock = clock
        self._provider = payments
        self._ids = ids

    # --- before the booking -------------------------------------------------------------------------

    async def quote(
        self,
        organisation_id: str,
        *,
        vehicle_id: str,
        start_at: datetime,
        end_at: datetime,
        km: int | None = None,
        subscription: bool = False,
    ) -> Quote | Refused:
        """Price a trip with the tariff that holds on the local day of its start (C12).

        Refused "no_tariff" when the vehicle is unknown or has no valid tariff.
        """
        trip = Trip(start_at=start_at, end_at=end_at, km=km, subscription=subscription)
        found = await self.quotes(organisation_id, vehicle_ids=[vehicle_id], trip=trip)
        return found.get(vehicle_id, Refused("no_tariff", {"vehicle": vehicle_id}))

    async def quotes(
        self, organisation_id: str, *, vehicle_ids: Iterable[str], trip: Trip
    ) -> Mapping[str, Quote]:
        """Price the same trip with several vehicles, by vehicle id; those without tariff are left out."""
        async with self._db.read(organisation_id) as reader:
            seller = await store.seller(reader, organisation_id)
            vehicles = await store.priced_vehicles(reader, organisation_id, vehicle_ids)
        quotes = {}
        for vehicle in vehicles.values():
            tariff = _tariff(vehicle, trip.start_at, seller)
            if tariff is not None:
                quotes[vehicle.vehicle_id] = price(tariff, replace(trip, zone=vehicle.zone))
        return quotes

    # --- after the return ---------------------------------------------------------------------------

    def consumer(self) -> Consumer:
        """The outbox consumer that invoices ended bookings."""
        return Consumer("billing", (BookingReturned, BookingCancelled), self.on_booking_ended)

    async def on_booking_ended(self, delivery: Delivery) -> None:
        """Invoice a returned, cancelled or missed booking; seeing the event twice makes one invoice (C29)."""
        happened = delivery.event
        if not isinstance(happened, BookingEvent):
            raise UndeliverableError(f"billing does not understand {happened.name}")
        outcome = _outcome(happened)
        if outcome is not None:
            await self.invoice_booking(
                happened.organisation_id, happened.booking_id, outcome=outcome, at=delivery.at
            )

    async def invoice_booking(
        self, organisation_id: str, booking_id: str, *, outcome: Outcome = "returned", at: datetime
    ) -> StoredInvoice | None:
        """Price the facts of an ended booking, freeze the invoice and plan its payment, in one transaction.

        None when nothing is due (free vehicle, staff trip, free cancellation). `at` is the instant of a
        cancellation that the booking does not tell.
        """

        async def unit(tx: Tx) -> StoredInvoice | None:
            known = await store.invoice_of_booking(tx, organisation_id, booking_id, "trip")
            return known or await self._freeze(tx, organisation_id, booking_id, outcome, at)

        return await self._db.write(organisation_id, unit)

    async def _freeze(
        self, tx: Tx, organisation_id: str, booking_id: str, outcome: Outcome, at: datetime
    ) -> StoredInvoice | None:
        booking = await store.booking_facts(tx, organisation_id, booking_id)
        if booking is None:
            raise UndeliverableError(f"no booking {booking_id}")
        if booking["usage"] == "staff" or tariff_id_of(booking) is None:
            return None
        seller = await store.seller(tx, organisation_id)
        trip = trip_of(booking, outcome=outcome, at=at)
        tariff = await self._tariff_of(tx, organisation_id, booking, trip, seller)
        quote = price(tariff, trip)
        if not quote.total_cents:
            return None
        now = self._clock.now()
        place = await store.next_place(tx, organisation_id, "trip", now, trip.zone)
        invoice = freeze(
            quote=quote,
            seller=seller.party,
            buyer=Party(id=booking["driver_id"], name=booking["driver_name"], email=booking["driver_email"]),
            service=_service(booking, trip),
            number=place.number,
            issued_at=now,
            zone=trip.zone,
            vat_note=seller.vat_note,
            payment_due_at=payment_due_at(tariff, trip),
            previous_digest=place.previous_digest,
        )
        return await self._issue(tx, organisation_id, invoice, booking_id, booking["driver_id"])

    async def _tariff_of(
        self, tx: Tx, organisation_id: str, booking: Mapping[str, Any], trip: Trip, seller: Seller
    ) -> Tariff:
        tariff_id = tariff_id_of(booking) or ""
        versions = await store.tariff_versions(tx, organisation_id, [tariff_id])
        vehicle = Priced(
            vehicle_id=booking["vehicle_id"], versions=versions.get(tariff_id, []), zone=trip.zone
        )
        tariff = _tariff(vehicle, trip.start_at, seller)
        if tariff is None:
            raise UndeliverableError(f"no version of tariff {tariff_id} holds at the start")
        return tariff

    async def _issue(
        self, tx: Tx, organisation_id: str, invoice: Invoice, booking_id: str | None, person_id: str
    ) -> StoredInvoice:
        invoice_id = self._ids()
        await store.add_invoice(
            tx, organisation_id, invoice, invoice_id=invoice_id, booking_id=booking_id, person_id=person_id
        )
        payment = self._planned_payment(organisation_id, invoice_id, invoice)
        if payment is not None:
            await store.add_payment(tx, payment)
        tx.emit(InvoiceIssued(organisation_id=organisation_id, invoice_id=invoice_id, booking_id=booking_id))
        tx.touch(f"invoices:{organisation_id}", f"person:{person_id}")
        return StoredInvoice(
            id=invoice_id, person_id=person_id, booking_id=booking_id, invoice=invoice, payment=payment
        )

    def _planned_payment(self, organisation_id: str, invoice_id: str, invoice: Invoice) -> Payment | None:
        if invoice.payment_due_at is None:
            return None
        return Payment(
            id=self._ids(),
            organisation_id=organisation_id,
            invoice_id=invoice_id,
            provider=self._provider.name,
            amount_cents=invoice.total_cents,
            state=PaymentState.DUE,
            due_at=invoice.payment_due_at,
        )

    # --- money --------------------------------------------------------------------------------------

    async def run_due_payments(self) -> int:
        """Ask the provider for what is due and give back what was credited; return how many it answered.

        Each payment is asked once: the try is noted before, its key repeated after a crash (C30).
        """
        async with self._db.read(_SWEEP) as reader:
            due = await store.due_payments(reader, self._clock.now(), limit=DUE_BATCH)
        answers = 0
        for payment in due:
            try:
                answers += await self._work_on(payment)
            except PaymentCallError as error:
                await self._note_refusal(payment, error)
            except Exception as error:  # the provider is away: the same key is asked again later
                log.error("payment.provider_failed", exc_info=error, payment=payment.id)
        return answers

    async def _work_on(self, payment: Payment) -> bool:
        if payment.state is PaymentState.REFUND_DUE:
            return await self._refund(payment)
        return await self._ask(payment)

    async def _ask(self, payment: Payment) -> bool:
        trying = await self._change(
            payment, lambda current, now: asked(current, now) if is_due(current, now) else None
        )
        if trying is None:
            return False
        async with self._db.read(payment.organisation_id) as reader:
            stored = await store.invoice_by_id(reader, payment.organisation_id, payment.invoice_id)
        assert stored is not None  # noqa: S101 - a foreign key says so
        intent = await self._provider.create(
            PaymentRequest(
                organisation_id=payment.organisation_id,
                key=trying.key,
                customer=stored.person_id,
                amount_cents=payment.amount_cents,
                currency=stored.invoice.currency,
                description=stored.invoice.reference,
            )
        )
        await self._note_answer(trying, intent, stored.booking_id)
        return True

    async def _note_answer(self, trying: Payment, intent: Intent, booking_id: str | None) -> None:
        """Write the answer down; a card that said no is told to its owner in the same transaction (C30)."""

        async def unit(tx: Tx) -> None:
            current = await store.payment_by_id(tx, trying.organisation_id, trying.id)
            if current is None or current.state is not PaymentState.ASKED:
                return
            await store.save_payment(tx, answered(current, intent, self._clock.now()))
            tx.touch(f"invoices:{trying.organisation_id}")
            if intent.state is not IntentState.SUCCEEDED:
                tx.emit(
                    PaymentDeclined(
                        organisation_id=trying.organisation_id,
                        invoice_id=trying.invoice_id,
                        booking_id=booking_id,
                    )
                )

        await self._db.write(trying.organisation_id, unit)
        log.info("payment.answered", payment=trying.id, state=intent.state.value)

    async def _refund(self, payment: Payment) -> bool:
        await self._provider.refund(
            payment.organisation_id,
            payment.provider_reference or "",
            amount_cents=payment.amount_cents,
            key=f"{payment.id}:refund",
        )
        await self._change(payment, refunded)
        return True

    async def _note_refusal(self, payment: Payment, error: PaymentCallError) -> None:
        """The provider understood and refuses the call: a person must look, asking again cannot help."""
        log.error("payment.call_refused", payment=payment.id, code=error.code)
        await self._change(payment, lambda current, now: refused(current, error.code, now))

    async def _change(
        self, payment: Payment, change: Callable[[Payment, datetime], Payment | None]
    ) -> Payment | None:
        """Apply `change` to the payment as it stands now; None changes nothing."""

        async def unit(tx: Tx) -> Payment | None:
            current = await store.payment_by_id(tx, payment.organisation_id, payment.id)
            changed = None if current is None else change(current, self._clock.now())
            if changed is not None:
                await store.save_payment(tx, changed)
                tx.touch(f"invoices:{payment.organisation_id}")
            return changed

        return await self._db.write(payment.organisation_id, unit)

    async def credit(self, organisation_id: str, invoice_id: str) -> StoredInvoice | Refused:
        """Take back a whole invoice by a credit note; money already paid is given back by the next sweep.

        Refused "not_found", "already_credited", or "payment_in_progress" while the card is being asked.
        """

        async def unit(tx: Tx) -> StoredInvoice | Refused:
            stored = await store.invoice_by_id(tx, organisation_id, invoice_id)
            if stored is None or stored.invoice.kind != "trip":
                return Refused("not_found", {"invoice": invoice_id})
            if await self._is_credited(tx, organisation_id, stored):
                return Refused("already_credited", {"invoice": stored.invoice.reference})
            if stored.payment is not None:
                payment = credited(stored.payment)
                if isinstance(payment, Refused):
                    return payment
                await store.save_payment(tx, payment)
            note = await self._credit_note(tx, organisation_id, stored.invoice)
            return await self._issue(tx, organisation_id, note, stored.booking_id, stored.person_id)

        return await self._db.write(organisation_id, unit)

    async def _is_credited(self, tx: Tx, organisation_id: str, stored: StoredInvoice) -> bool:
        booking_id = stored.booking_id or ""
        return await store.invoice_of_booking(tx, organisation_id, booking_id, "credit") is not None

    async def _credit_note(self, tx: Tx, organisation_id: str, invoice: Invoice) -> Invoice:
        now = self._clock.now()
        place = await store.next_place(tx, organisation_id, "credit", now, invoice.zone)
        return credit(invoice, number=place.number, issued_at=now, previous_digest=place.previous_digest)

    # --- reading ------------------------------------------------------------------------------------

    async def invoices(
        self, organisation_id: str, *, person_id: str | None = None, limit: int = 50, after: str | None = None
    ) -> InvoicePage:
        """Invoices of an organisation, or of one person in it, newest first; FieldError: wrong cursor."""
        async with self._db.read(organisation_id) as reader:
            return await store.invoice_page(
                reader,
                organisation_id,
                person_id=person_id,
                limit=max(1, min(limit, MOST_PER_PAGE)),
                after=after,
            )

    async def invoice(
        self, organisation_id: str, invoice_id: str, *, person_id: str | None = None
    ) -> StoredInvoice | None:
        """One invoice; with `person_id` only if it is that person's."""
        async with self._db.read(organisation_id) as reader:
            stored = await store.invoice_by_id(reader, organisation_id, invoice_id)
        foreign = stored is not None and person_id not in (None, stored.person_id)
        return None if foreign else stored

    async def pdf(self, stored: StoredInvoice, *, locale: str = "fr") -> bytes:
        """The invoice as PDF, with the state of its payment; laid out in a thread."""
        note = payment_note(stored.payment)
        return await asyncio.to_thread(invoice_pdf, stored.invoice, locale=locale, payment=note)

    def html(self, stored: StoredInvoice, *, locale: str = "fr", stylesheet: str | None = None) -> str:
        """The invoice as a whole HTML page, with the state of its payment."""
        note = payment_note(stored.payment)
        return invoice_html(stored.invoice, locale=locale, payment=note, stylesheet=stylesheet)


def payment_note(payment: Payment | None) -> PaymentNote | None:
    """What the document says about the payment."""
    if payment is None or payment.state is PaymentState.CANCELLED:
        return None
    if payment.state in {PaymentState.REFUND_DUE, PaymentState.REFUND_FAILED, PaymentState.REFUNDED}:
        return PaymentNote(state=payment.state.value)
    return PaymentNote(state=payment.state.value, at=payment.settled_at or payment.due_at)


def _outcome(happened: BookingEvent) -> Outcome | None:
    """What a booking's end means for the price; a cancellation by the service itself costs nothing."""
    if isinstance(happened, BookingReturned):
        return "returned"
    by = happened.by if isinstance(happened, BookingCancelled) else "manager"
    return {"driver": "cancelled", "no_show": "no_show"}.get(by)  # type: ignore[return-value]


def _tariff(vehicle: Priced, start_at: datetime, seller: Seller) -> Tariff | None:
    """The version that holds, with the seller's VAT unless it has its own."""
    tariff = vehicle.tariff(start_at)
    if tariff is None or tariff.vat_rate is not None:
        return tariff
    return replace(tariff, vat_rate=seller.vat_rate)


def tariff_id_of(booking: Mapping[str, Any]) -> str | None:
    """The tariff written in the booking when it was made, so that a car given another changes no price."""
    tariff_id: str | None = booking["tariff_id"] or booking["vehicle_tariff_id"]
    return tariff_id


def trip_of(booking: Mapping[str, Any], *, outcome: Outcome, at: datetime) -> Trip:
    """The facts of a booking that its price depends on."""
    if outcome == "returned" and booking["returned_at"] is None:
        raise UndeliverableError(f"booking {booking['id']} has no return")
    start_km, return_km = booking["start_km"], booking["return_km"]
    driven = None if start_km is None or return_km is None else max(0, return_km - start_km)
    return Trip(
        start_at=booking["start_at"],
        end_at=booking["end_at"],
        returned_at=booking["returned_at"] if outcome == "returned" else None,
        km=driven,
        zone=ZoneInfo(booking["zone"]),
        fault_waived=booking["fault_waived"],
        outcome=outcome,
        cancelled_at=(booking["cancelled_at"] or at) if outcome == "cancelled" else None,
    )


def _service(booking: Mapping[str, Any], trip: Trip) -> Service:
    return Service(
        booking_id=booking["id"],
        vehicle=f"{booking['vehicle_name']} ({booking['plate']})",
        station=booking["station_name"],
        start_at=trip.start_at,
        end_at=trip.end_at,
        returned_at=trip.returned_at,
        km=trip.km,
    )
