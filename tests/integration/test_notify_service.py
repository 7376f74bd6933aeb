"""From an event to a mail and an SMS received, on both databases; and what can go wrong between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from supervision.clock import FixedClock
from supervision.kernel.errors import Refused
from supervision.kernel.events import (
    AccessCodeReleased,
    BookingCancelled,
    BookingLate,
    BookingMade,
    BookingMoved,
    Event,
    InvoiceIssued,
    PaymentDeclined,
    PersonInvited,
)
from supervision.notify.model import (
    Channel,
    DeliveryError,
    Mail,
    Message,
    Receipt,
    Sms,
    State,
    Template,
    Words,
)
from supervision.notify.providers.mail import MailProvider
from supervision.notify.providers.mail.kept import KeptMail
from supervision.notify.providers.mail.smtp import SmtpMail
from supervision.notify.providers.sms import SmsProvider
from supervision.notify.providers.sms.gateway import SmsGateway
from supervision.notify.providers.sms.twin import SmsTwin
from supervision.notify.service import NotifyService
from supervision.store.db import Database, Tx
from supervision.store.outbox import Delivery, Outbox
from supervision.store.schema import access_codes, alerts, bookings, invoices, messages, people
from tests import factories
from tests.factories import NOW, TESTS
from tests.integration.notify_doubles import MailBox, bound_socket, http_server, smtp_server

CODE = "48213370"
IDS = {"organisation_id": "org", "booking_id": "b1", "vehicle_id": "car-1", "station_id": "st"}
MADE = BookingMade(**IDS)
RELEASED = AccessCodeReleased(**IDS, revision=1)
FROM = "autopartage@com.example"


@dataclass
class Recorder:
    """A provider of both channels that keeps what it is given and fails when told."""

    taken: list[Mail | Sms] = field(default_factory=list)
    failures: list[DeliveryError] = field(default_factory=list)

    async def send(self, message: Mail | Sms) -> Receipt:
        if self.failures:
            raise self.failures.pop(0)
        self.taken.append(message)
        return Receipt(reference="r")

    def subjects(self) -> list[str]:
        return [one.words.subject for one in self.taken if isinstance(one, Mail)]


async def code_of(organisation_id: str, booking_id: str) -> str | None:
    return CODE if (organisation_id, booking_id) == ("org", "b1") else None


async def link_of(organisation_id: str, person_id: str) -> str | None:
    return f"https://com.example/password/{organisation_id}/{person_id}/one-time-secret"


def notify(
    db: Database, clock: FixedClock, mail: MailProvider, sms: SmsProvider | None, **options: Any
) -> NotifyService:
    sources = {"code_source": code_of, "link_source": link_of, "public_url": "https://com.example/"}
    return NotifyService(db=db, clock=clock, mail=mail, sms=sms, **{**sources, **options})


async def write(db: Database, *statements: Any, events: Sequence[Event] = ()) -> None:
    async def unit(tx: Tx) -> None:
        for statement in statements:
            await tx.execute(statement)
        for event in events:
            tx.emit(event)

    await db.write(TESTS, unit)


async def a_booking(db: Database, **values: Any) -> None:
    await factories.write_service(db)

    async def unit(tx: Tx) -> None:
        await factories.booking(tx, **values)

    await db.write(TESTS, unit)


def a_code(revision: int = 1, **values: Any) -> Any:
    window = {"valid_from": NOW + timedelta(minutes=45), "valid_until": NOW + timedelta(hours=3, minutes=15)}
    row = {"booking_id": "b1", "organisation_id": "org", "station_id": "st", "vehicle_id": "car-1", **window}
    return insert(access_codes).values(**row, revision=revision, **values)


async def rows(db: Database) -> list[dict[str, Any]]:
    async with db.read(TESTS) as reader:
        return await reader.all(select(messages).order_by(messages.c.id))


async def states(db: Database) -> dict[str, str]:
    return {row["id"]: row["state"] for row in await rows(db)}


async def open_alerts(db: Database) -> list[tuple[str, str, str]]:
    statement = select(alerts).where(alerts.c.closed_at.is_(None)).order_by(alerts.c.id)
    async with db.read(TESTS) as reader:
        return [(row["kind"], row["cause"], row["severity"]) for row in await reader.all(statement)]


def delivery(event: Event, number: int = 7) -> Delivery:
    return Delivery(id=number, event=event, at=NOW, attempt=1)


# --- the whole path ---------------------------------------------------------------------------------


async def test_C24_code_released_reaches_mail_and_sms_once_though_handled_twice(
    db: Database, clock: FixedClock
) -> None:
    box, twin = MailBox(), SmsTwin(token="t")
    await a_booking(db)
    async with (
        smtp_server(box) as port,
        http_server(twin.app) as url,
        SmsGateway.open(f"{url}/sms", token="t") as sms,
    ):
        mail = SmtpMail.from_url(f"smtp://127.0.0.1:{port}", mail_from=FROM)
        service = notify(db, clock, mail, sms)
        await write(db, a_code(), events=[RELEASED])
        outbox = Outbox(db, clock, [service.consumer()])
        assert await outbox.drain() == 1
        await service.handle(delivery(RELEASED, number=1))  # the same delivery again
        assert await service.send_due(clock.now()) == 2
        assert await service.send_due(clock.now()) == 0
    [letter] = box.received
    assert box.recipients == ["d1@example.org"]
    assert letter["From"].addresses[0].display_name == "Com"
    assert letter["Subject"] == "Votre code d'accès pour Car 1, samedi 21 novembre"
    text = letter.get_body(("plain",))
    assert text is not None
    assert f"Votre code\u00a0: {CODE}" in text.get_content()
    [message] = twin.accepted
    assert message.to == "+33600000001"
    assert message.text == f"Car 1, St : code {CODE}, valable 21/11 09:45-12:15."
    assert await states(db) == {"1-mail": "sent", "1-sms": "sent"}


async def test_C24_code_stands_in_no_row(sqlite_db: Database, clock: FixedClock) -> None:
    recorder = Recorder()
    await a_booking(sqlite_db)
    await write(sqlite_db, a_code())
    service = notify(sqlite_db, clock, recorder, recorder)
    await service.handle(delivery(RELEASED))
    await service.handle(delivery(PersonInvited(organisation_id="org", person_id="d1"), number=8))
    await service.send_due(clock.now())
    assert len(recorder.taken) == 3
    stored = repr(await rows(sqlite_db))
    assert CODE not in stored
    assert "one-time-secret" not in stored


@pytest.mark.parametrize("locale", ["fr", "en"])
async def test_language_is_that_of_the_person(sqlite_db: Database, clock: FixedClock, locale: str) -> None:
    recorder = Recorder()
    await a_booking(sqlite_db)
    await write(sqlite_db, update(people).where(people.c.id == "d1").values(locale=locale))
    service = notify(sqlite_db, clock, recorder, None)
    await service.handle(delivery(MADE))
    await service.send_due(clock.now())
    expected = {
        "fr": "Réservation confirmée\u00a0: Car 1, samedi 21 novembre",
        "en": "Booking confirmed: Car 1, Saturday 21 November",
    }
    assert recorder.subjects() == [expected[locale]]


async def test_every_event_leads_to_its_message(sqlite_db: Database, clock: FixedClock) -> None:
    recorder = Recorder()
    await a_booking(sqlite_db)
    invoice = {
        "id": "i1",
        "organisation_id": "org",
        "series": "F2026",
        "number": 42,
        "kind": "trip",
        "booking_id": "b1",
        "person_id": "d1",
        "issued_at": NOW,
        "total_cents": 1300,
        "document": {},
    }
    await write(sqlite_db, a_code(), insert(invoices).values(**invoice))
    service = notify(sqlite_db, clock, recorder, None)
    told = (
        MADE,
        RELEASED,
        BookingMoved(**IDS, change="extended"),
        BookingCancelled(**IDS, by="manager"),
        InvoiceIssued(organisation_id="org", invoice_id="i1", booking_id="b1"),
        PaymentDeclined(organisation_id="org", invoice_id="i1", booking_id="b1"),
        PersonInvited(organisation_id="org", person_id="d1"),
    )
    for number, event in enumerate(told):
        await service.handle(delivery(event, number=number))
    await service.send_due(clock.now())
    assert {row["template"]: row["state"] for row in await rows(sqlite_db)} == {
        "booking_made": "sent",
        "code_released": "sent",
        "booking_moved": "sent",
        "booking_cancelled": "sent",
        "invoice_issued": "sent",
        "payment_declined": "sent",
        "password_link": "sent",
    }
    links = {
        one.words.text.split("https://")[1].split("\n")[0] for one in recorder.taken if isinstance(one, Mail)
    }
    assert links == {
        "com.example/",
        "com.example/bookings/b1",
        "com.example/invoices/i1",
        "com.example/password/org/d1/one-time-secret",
    }


# --- late cars --------------------------------------------------------------------------------------


async def _a_late_car(db: Database, *, next_in: timedelta) -> None:
    end_at = NOW - timedelta(minutes=5)
    await a_booking(db, status="active", start_at=NOW - timedelta(hours=2), end_at=end_at)

    async def unit(tx: Tx) -> None:
        await factories.driver(tx, id="d2", name="D Two", phone=None)
        start_at = NOW + next_in
        await factories.booking(
            tx, id="b2", driver_id="d2", start_at=start_at, end_at=start_at + timedelta(hours=1)
        )

    await db.write(TESTS, unit)


async def test_late_car_driver_is_told_and_the_next_one_three_hours_before(
    db: Database, clock: FixedClock
) -> None:
    recorder = Recorder()
    await _a_late_car(db, next_in=timedelta(hours=4))
    service = notify(db, clock, recorder, None)
    await service.handle(delivery(BookingLate(**IDS)))
    await service.send_due(clock.now())
    assert recorder.subjects() == ["Car 1 est attendue à St"]
    clock.advance(hours=1)
    await service.send_due(clock.now())
    assert recorder.subjects()[1:] == ["Car 1 pourrait être en retard, samedi 21 novembre"]
    assert [one.recipient for one in recorder.taken] == ["d1@example.org", "d2@example.org"]


async def test_late_car_back_in_time_worries_nobody(sqlite_db: Database, clock: FixedClock) -> None:
    recorder = Recorder()
    await _a_late_car(sqlite_db, next_in=timedelta(hours=4))
    service = notify(sqlite_db, clock, recorder, None)
    await service.handle(delivery(BookingLate(**IDS)))
    await write(sqlite_db, update(bookings).where(bookings.c.id == "b1").values(status="completed"))
    clock.advance(hours=2)
    await service.send_due(clock.now())
    assert recorder.taken == []
    assert await states(sqlite_db) == {"7-mail": "dropped", "7-next-mail": "dropped"}


async def test_late_car_next_booking_tomorrow_is_not_endangered(
    sqlite_db: Database, clock: FixedClock
) -> None:
    await _a_late_car(sqlite_db, next_in=timedelta(hours=25))
    await notify(sqlite_db, clock, Recorder(), None).handle(delivery(BookingLate(**IDS)))
    assert await states(sqlite_db) == {"7-mail": "queued"}


# --- the truth of the moment of sending -------------------------------------------------------------


async def test_code_replaced_before_sending_only_the_new_one_is_told(
    sqlite_db: Database, clock: FixedClock
) -> None:
    recorder = Recorder()
    await a_booking(sqlite_db)
    await write(sqlite_db, a_code(revision=2))
    service = notify(sqlite_db, clock, recorder, None)
    await service.handle(delivery(RELEASED, number=1))
    await service.handle(delivery(AccessCodeReleased(**IDS, revision=2), number=2))
    await service.send_due(clock.now())
    assert await states(sqlite_db) == {"1-mail": "dropped", "2-mail": "sent"}
    assert [_says_it_replaces(letter) for letter in recorder.taken] == [False]


async def test_code_renewed_after_sending_says_that_the_first_is_void(
    sqlite_db: Database, clock: FixedClock
) -> None:
    recorder = Recorder()
    await a_booking(sqlite_db)
    await write(sqlite_db, a_code())
    service = notify(sqlite_db, clock, recorder, None)
    await service.handle(delivery(RELEASED, number=1))
    await service.send_due(clock.now())
    await write(sqlite_db, update(access_codes).values(revision=2))
    await service.handle(delivery(AccessCodeReleased(**IDS, revision=2), number=2))
    await service.send_due(clock.now())
    assert [_says_it_replaces(letter) for letter in recorder.taken] == [False, True]


def _says_it_replaces(letter: Mail | Sms) -> bool:
    return isinstance(letter, Mail) and "Ce code remplace le précédent" in letter.words.text


@pytest.mark.parametrize("reason", ["revoked", "unknown"])
async def test_code_no_longer_in_force_is_not_sent(
    sqlite_db: Database, clock: FixedClock, reason: str
) -> None:
    recorder = Recorder()

    async def nothing(_organisation_id: str, _booking_id: str) -> str | None:
        return None

    await a_booking(sqlite_db)
    await write(sqlite_db, a_code(revoked_at=NOW if reason == "revoked" else None))
    service = notify(sqlite_db, clock, recorder, None, code_source=nothing)
    await service.handle(delivery(RELEASED))
    await service.send_due(clock.now())
    assert recorder.taken == []
    [row] = await rows(sqlite_db)
    assert (row["state"], row["error"]) == (
        "dropped",
        "code_replaced" if reason == "revoked" else "no_code",
    )


async def test_disabled_person_is_told_nothing(sqlite_db: Database, clock: FixedClock) -> None:
    recorder = Recorder()
    await a_booking(sqlite_db)
    service = notify(sqlite_db, clock, recorder, None)
    await service.handle(delivery(MADE))
    await write(sqlite_db, update(people).where(people.c.id == "d1").values(disabled_at=NOW))
    await service.send_due(clock.now())
    assert (recorder.taken, await states(sqlite_db)) == ([], {"7-mail": "dropped"})


# --- failures ---------------------------------------------------------------------------------------


async def test_mail_server_refuses_for_now_then_takes_it(sqlite_db: Database, clock: FixedClock) -> None:
    box = MailBox()
    box.at_data.append("451 later")
    await a_booking(sqlite_db)
    async with smtp_server(box) as port:
        service = notify(
            sqlite_db, clock, SmtpMail.from_url(f"smtp://127.0.0.1:{port}", mail_from=FROM), None
        )
        await service.handle(delivery(MADE))
        await service.send_due(clock.now())
        [row] = await rows(sqlite_db)
        assert (row["state"], row["attempts"], row["error"]) == ("failed", 1, "451 later")
        assert row["next_try_at"] == NOW + timedelta(seconds=2)
        assert await service.send_due(clock.now()) == 0  # not yet
        clock.advance(seconds=2)
        assert await service.send_due(clock.now()) == 1
    assert len(box.received) == 1
    assert await states(sqlite_db) == {"7-mail": "sent"}


async def test_mailbox_unknown_is_a_dead_letter_seen_in_the_portal_and_can_be_tried_again(
    db: Database, clock: FixedClock
) -> None:
    recorder = Recorder(failures=[DeliveryError("550 no such user", permanent=True)])
    await a_booking(db)
    service = notify(db, clock, recorder, None)
    await service.handle(delivery(MADE))
    await service.send_due(clock.now())
    assert await states(db) == {"7-mail": "dead"}
    assert await open_alerts(db) == [("undelivered", "message:7-mail", "medium")]
    await write(db, update(people).where(people.c.id == "d1").values(email="new@example.org"))
    assert await service.requeue("org", "7-mail") is None
    assert await open_alerts(db) == []
    await service.send_due(clock.now())
    assert [one.recipient for one in recorder.taken] == ["new@example.org"]
    assert await service.requeue("org", "7-mail") == Refused("not_found")


async def test_mail_server_down_holds_every_mail_and_no_sms(sqlite_db: Database, clock: FixedClock) -> None:
    recorder, box, bound = Recorder(), MailBox(), bound_socket()
    await a_booking(sqlite_db)
    await write(sqlite_db, a_code())
    mail = SmtpMail.from_url(f"smtp://127.0.0.1:{bound.getsockname()[1]}", mail_from=FROM)
    service = notify(sqlite_db, clock, mail, recorder)
    await service.handle(delivery(MADE, number=1))
    await service.handle(delivery(RELEASED, number=2))
    assert await service.send_due(clock.now()) == 2  # one mail tried for all, one SMS
    assert await states(sqlite_db) == {"1-mail": "queued", "2-mail": "failed", "2-sms": "sent"}
    async with smtp_server(box, bound=bound):
        clock.advance(hours=1)
        await service.send_due(clock.now())
    assert len(box.received) == 2
    assert [row["attempts"] for row in await rows(sqlite_db)] == [1, 1, 1]


async def test_broken_fact_stops_one_message_only(sqlite_db: Database, clock: FixedClock) -> None:
    recorder = Recorder()

    async def broken(_organisation_id: str, _booking_id: str) -> str | None:
        raise LookupError("no key")

    await a_booking(sqlite_db)
    await write(sqlite_db, a_code())
    service = notify(sqlite_db, clock, recorder, None, code_source=broken)
    await service.handle(delivery(RELEASED, number=1))
    await service.handle(delivery(MADE, number=2))
    await service.send_due(clock.now())
    assert {row["id"]: (row["state"], row["error"]) for row in await rows(sqlite_db)} == {
        "1-mail": ("failed", "LookupError"),
        "2-mail": ("sent", None),
    }


@pytest.mark.parametrize(("phone", "alert"), [("06 12", True), ("04 75 00 00 00", True), (None, False)])
async def test_phone_unusable_is_told_to_the_managers_once(
    sqlite_db: Database, clock: FixedClock, phone: str | None, alert: bool
) -> None:
    recorder = Recorder()
    await a_booking(sqlite_db)
    await write(sqlite_db, a_code(), update(people).where(people.c.id == "d1").values(phone=phone))
    service = notify(sqlite_db, clock, recorder, recorder)
    await service.handle(delivery(RELEASED, number=1))
    await service.handle(delivery(RELEASED, number=2))
    await service.send_due(clock.now())
    assert len(recorder.taken) == 2  # the mails
    assert await open_alerts(sqlite_db) == ([("undelivered", "phone:d1", "high")] if alert else [])
    if alert:
        assert await service.requeue("org", "1-sms") == Refused("phone_invalid")


# --- for the portal ---------------------------------------------------------------------------------


async def test_nothing_configured_messages_are_kept_and_can_be_read_without_the_code(
    sqlite_db: Database, clock: FixedClock
) -> None:
    await a_booking(sqlite_db)
    await write(sqlite_db, a_code())
    service = notify(sqlite_db, clock, KeptMail(), None)
    await service.handle(delivery(RELEASED))
    await service.send_due(clock.now())
    assert await states(sqlite_db) == {"7-mail": "kept"}
    words = await service.preview("org", "7-mail")
    assert isinstance(words, Words)
    assert "Votre code\u00a0: ********\n" in words.text
    assert CODE not in words.text + words.html
    assert await service.preview("org", "8-mail") == Refused("not_found")


async def test_preview_of_what_is_no_longer_true_says_so(sqlite_db: Database, clock: FixedClock) -> None:
    await a_booking(sqlite_db)
    service = notify(sqlite_db, clock, Recorder(), None)
    await service.handle(delivery(MADE))
    await write(sqlite_db, update(bookings).where(bookings.c.id == "b1").values(status="cancelled"))
    expected = Refused("message_outdated", {"reason": "booking_over"})
    assert await service.preview("org", "7-mail") == expected


async def test_history_is_of_one_organisation_newest_first(db: Database, clock: FixedClock) -> None:
    await a_booking(db)
    service = notify(db, clock, Recorder(), None)
    await service.handle(delivery(MADE, number=1))
    clock.advance(minutes=1)
    await service.handle(delivery(BookingCancelled(**IDS, by="driver"), number=2))

    def ids(found: list[Message]) -> list[str]:
        return [message.id for message in found]

    assert ids(await service.history("org")) == ["2-mail", "1-mail"]
    assert ids(await service.history("org", states=[State.SENT])) == []
    assert ids(await service.history("org", person_id="d1", booking_id="b1", limit=1)) == ["2-mail"]
    assert await service.history("elsewhere") == []


async def test_queued_messages_wake_the_sender_once(sqlite_db: Database, clock: FixedClock) -> None:
    woken: list[datetime] = []
    await a_booking(sqlite_db)
    service = notify(sqlite_db, clock, Recorder(), None, wake=lambda: woken.append(clock.now()))
    await service.handle(delivery(MADE))
    await service.handle(delivery(MADE))
    assert woken == [NOW]
    [message] = await service.history("org")
    assert (message.template, message.channel, message.person_id) == (
        Template.BOOKING_MADE,
        Channel.MAIL,
        "d1",
    )
