"""Facts of one trip, used by the tests of this directory."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from supervision.notify.model import Channel, Message, Sender, Template, Trip
from supervision.notify.say import Say

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)  # Saturday, 09:00 in Paris
START = datetime(2026, 11, 21, 17, 0, tzinfo=UTC)
FR = Say(language="fr", zone=PARIS)
EN = Say(language="en", zone=PARIS)

FACTS: dict[str, Any] = {
    "name": "Chloé Martin",
    "sender": "Val de Drôme",
    "help_phone": "+33475000000",
    "car": "Zoé bleue",
    "plate": "AB-123-CD",
    "place": "Eurre",
    "slot": 3,
    "start_at": START,
    "end_at": START + timedelta(hours=2),
    "price_cents": 1300,
    "link": "https://autopartage.example/bookings/b1",
    "code": "48213370",
    "valid_from": START - timedelta(minutes=15),
    "valid_until": START + timedelta(hours=2, minutes=15),
    "replaces": False,
    "change": "extended",
    "by": "manager",
    "credit": False,
    "number": "F2026-000042",
    "total_cents": 1300,
}

TRIP = Trip(
    booking_id="b1",
    driver_id="d1",
    status="booked",
    start_at=START,
    end_at=START + timedelta(hours=2),
    quoted_cents=1300,
    vehicle_id="car-1",
    car="Zoé bleue",
    plate="AB-123-CD",
    slot=3,
    station_id="st",
    place="Eurre",
    sender=Sender(name="Val de Drôme", zone=PARIS, help_phone=""),
)


def trip(**changes: Any) -> Trip:
    """Return the trip with some facts changed."""
    return replace(TRIP, **changes)


def message(template: Template = Template.BOOKING_MADE, **changes: Any) -> Message:
    """Return a queued mail."""
    queued = Message(
        id="7-mail",
        organisation_id="org",
        person_id="d1",
        template=template,
        channel=Channel.MAIL,
        recipient="d1@example.org",
        booking_id="b1",
        queued_at=NOW,
        next_try_at=NOW,
    )
    return replace(queued, **changes)
