"""One invoice that shows every usual line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from supervision.billing.invoice import Invoice, Party, Service, freeze, payment_due_at
from supervision.billing.model import HourStep, Tariff, Trip
from supervision.billing.pricing import price

START = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")

TARIFF = Tariff(
    hour_cents=600,
    km_cents=20,
    free_km=10,
    subscription_discount_percent=Decimal(30),
    steps=(HourStep(from_hour=6, extra_cents=50),),
)
TRIP = Trip(
    start_at=START,
    end_at=START + timedelta(hours=6, minutes=30),
    returned_at=START + timedelta(hours=7, minutes=1),
    km=66,
    subscription=True,
)
SELLER = Party(
    id="org",
    name="Communauté de communes du Val de Drôme",
    address=("96 ronde des Alisiers", "26400 Eurre"),
    siren="242600252",
)
BUYER = Party(id="d1", name="Émilie <Œuvre>", email="d1@example.org")


def invoice(
    *, tariff: Tariff = TARIFF, number: int = 42, vat_note: str = "", previous: str = "0" * 64
) -> Invoice:
    return freeze(
        quote=price(tariff, TRIP),
        seller=SELLER,
        buyer=BUYER,
        service=Service(
            booking_id="b1",
            vehicle="Zoé 1 (AB-123-CD)",
            station="Eurre",
            start_at=TRIP.start_at,
            end_at=TRIP.end_at,
            returned_at=TRIP.returned_at,
            km=TRIP.km,
        ),
        number=number,
        issued_at=START + timedelta(hours=8),
        zone=PARIS,
        vat_note=vat_note,
        payment_due_at=payment_due_at(tariff, TRIP),
        previous_digest=previous,
    )
