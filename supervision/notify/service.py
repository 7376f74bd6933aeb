"""Messages: queued when something happened, composed and sent when due, seen to their end.

A message row says who is told what. Its words are made at the moment of sending from the truth of that
moment, so that a mail delayed by an outage does not tell what is no longer so, and so that the access
code stands in no table: it is asked from `code_source` and forgotten.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from supervision.clock import Clock
from supervision.kernel.errors import Refused
from supervision.kernel.events import (
    BookingEvent,
    BookingLate,
    Event,
    InvoiceIssued,
    PaymentDeclined,
    PersonInvited,
)
from supervision.log import Log
from supervision.notify import rules, store
from supervision.notify.compose import compose
from supervision.notify.model import (
    Channel,
    DeliveryError,
    Mail,
    Message,
    Receipt,
    Recipient,
    Sender,
    Sms,
    State,
    Template,
    Trip,
    Words,
)
from supervision.notify.phone import sms_number
from supervision.notify.providers.mail import MailProvider
from supervision.notify.providers.sms import SmsProvider
from supervision.notify.say import Say
from supervision.store.db import Database, Reader, Tx, across_tenants
from supervision.store.outbox import Consumer, Delivery

log = Log("supervision.notify")

BATCH = 100
MASK = "********"
PHONE_INVALID = "phone_invalid"

_EVERYONE = across_tenants("messages of every organisation leave through the same providers")

Source = Callable[[str, str], Awaitable[str | None]]
"""A secret for (organisation_id, booking_id or person_id): the access code, the one-time link; or None."""


@dataclass(frozen=True, kw_only=True)
class _Telling:
    """One person to tell one thing, from `at` on; `key` keeps two tellings of one event apart."""

    template: Template
    person: Recipient
    params: dict[str, Any]
    booking_id: str | None = None
    at: datetime
    key: str = ""


@dataclass(frozen=True, kw_only=True)
class _Letter:
    """A message ready for its words: who speaks, who is told, and the facts; or why not."""

    sender: Sender
    person: Recipient
    facts: dict[str, Any]


class _DroppedError(Exception):
    """The message is no longer true; the argument says why."""


class NotifyService:
    """Tells people what happened, by mail and SMS."""

    def __init__(
        self,
        *,
        db: Database,
        clock: Clock,
        mail: MailProvider,
        sms: SmsProvider | None,
        code_source: Source,
        link_source: Source,
        public_url: str,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        """`wake` is called when messages were queued, so that `send_due` need not wait for its next turn."""
        self._db = db
        self._clock = clock
        self._mail = mail
        self._sms = sms
        self._code_source = code_source
        self._link_source = link_source
        self._public_url = public_url.rstrip("/")
        self._wake = wake
        self._sending = asyncio.Lock()

    def consumer(self) -> Consumer:
        """Return the outbox consumer."""
        return Consumer("notify", tuple(rules.TEMPLATE_OF), self.handle)

    # --- queueing -------------------------------------------------------------------------------------

    async def handle(self, delivery: Delivery) -> None:
        """Queue the messages an event calls for; a second time changes nothing."""
        event = delivery.event

        async def unit(tx: Tx) -> int:
            tellings = await self._tellings(tx, event)
            fresh = [message for telling in tellings for message in self._messages(delivery, telling)]
            added = await store.queue(tx, event.organisation_id, fresh)
            for message in added:
                if message.state is State.DEAD:
                    await self._open_alert(tx, message)
            return len(added)

        if await self._db.write(event.organisation_id, unit):
            self._wake()

    async def _tellings(self, tx: Tx, event: Event) -> list[_Telling]:
        match event:
            case BookingLate():
                return await self._late(tx, event)
            case BookingEvent():
                trip = await store.trip(tx, event.organisation_id, event.booking_id)
                return [] if trip is None else await self._telling(tx, event, trip.driver_id, trip.booking_id)
            case InvoiceIssued() | PaymentDeclined():
                facts = await store.invoice(tx, event.organisation_id, event.invoice_id)
                return (
                    [] if facts is None else await self._telling(tx, event, facts.person_id, facts.booking_id)
                )
            case PersonInvited():
                return await self._telling(tx, event, event.person_id, None)
            case _:
                return []

    async def _telling(self, tx: Tx, event: Event, person_id: str, booking_id: str | None) -> list[_Telling]:
        person = await store.recipient(tx, person_id)
        if person is None:
            return []
        return [
            _Telling(
                template=rules.TEMPLATE_OF[type(event)],
                person=person,
                params=rules.params_of(event),
                booking_id=booking_id,
                at=self._clock.now(),
            )
        ]

    async def _late(self, tx: Tx, event: BookingLate) -> list[_Telling]:
        """Tell the driver, and the next one in time to choose another car."""
        trip = await store.trip(tx, event.organisation_id, event.booking_id)
        if trip is None:
            return []
        tellings = await self._telling(tx, event, trip.driver_id, trip.booking_id)
        waiting = await store.next_trip(tx, event.organisation_id, trip)
        at = None if waiting is None else rules.warn_at(waiting.start_at, self._clock.now())
        if waiting is None or at is None or waiting.driver_id == trip.driver_id:
            return tellings
        person = await store.recipient(tx, waiting.driver_id)
        if person is None:
            return tellings
        warned = _Telling(
            template=Template.NEXT_DRIVER_WARNED,
            person=person,
            params={"late_booking_id": trip.booking_id},
            booking_id=waiting.booking_id,
            at=at,
            key="next-",
        )
        return [*tellings, warned]

    def _messages(self, delivery: Delivery, telling: _Telling) -> list[Message]:
        ways = rules.channels(telling.template, telling.params)
        found = [self._message(delivery, telling, channel) for channel in ways]
        return [message for message in found if message is not None]

    def _message(self, delivery: Delivery, telling: _Telling, channel: Channel) -> Message | None:
        recipient = self._recipient(telling.person, channel)
        if not recipient:
            return None
        unusable = channel is Channel.SMS and sms_number(recipient) is None
        return Message(
            id=f"{delivery.id}-{telling.key}{channel}",
            organisation_id=delivery.event.organisation_id,
            person_id=telling.person.id,
            booking_id=telling.booking_id,
            template=telling.template,
            channel=channel,
            recipient=recipient,
            state=State.DEAD if unusable else State.QUEUED,
            error=PHONE_INVALID if unusable else None,
            queued_at=self._clock.now(),
            next_try_at=None if unusable else telling.at,
            params=telling.params,
        )

    def _recipient(self, person: Recipient, channel: Channel) -> str | None:
        if channel is Channel.MAIL:
            return person.email
        if self._sms is None or not person.phone:
            return None
        return sms_number(person.phone) or person.phone

    # --- sending --------------------------------------------------------------------------------------

    async def send_due(self, now: datetime) -> int:
        """Send what is due; return how many messages were settled or tried.

        The channels run beside each other, so that a mail server that hangs delays no SMS. A provider that
        does not work ends the turn of its channel: the other messages wait for it untouched.
        """
        async with self._sending:
            async with self._db.read(_EVERYONE) as reader:
                waiting = await store.due(reader, now, BATCH)
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._send_all([m for m in waiting if m.channel is channel], now))
                    for channel in Channel
                ]
            return sum(task.result() for task in tasks)

    async def _send_all(self, waiting: Sequence[Message], now: datetime) -> int:
        urgent_first = sorted(waiting, key=lambda m: m.template is not Template.CODE_RELEASED)
        for count, message in enumerate(urgent_first, start=1):
            if not await self._send_one(message, now):
                return count
        return len(urgent_first)

    async def _send_one(self, message: Message, now: datetime) -> bool:
        """Try one message and record it; False when its provider does not work."""
        usable = True
        try:
            after = rules.after_success(message, await self._try(message, now), now)
        except _DroppedError as dropped:
            after = rules.after_drop(message, str(dropped))
        except DeliveryError as error:
            usable = not error.unreachable
            after = rules.after_failure(message, error, now)
            log.warning(
                "notify.not_sent",
                message=message.id,
                channel=message.channel,
                error=after.error,
                state=after.state,
            )
        except Exception as bug:
            # A template or a fact is wrong: this message waits for the repair, the others go on.
            after = rules.after_failure(message, DeliveryError(f"{type(bug).__name__}"), now)
            log.error("notify.broken", exc_info=bug, message=message.id, template=message.template)
        await self._record(message, after)
        return usable

    async def _try(self, message: Message, now: datetime) -> Receipt:
        letter = await self._letter(message, now)
        facts = {**letter.facts, **await self._secrets(message)}
        words = _words(message, letter, facts)
        if message.channel is Channel.MAIL:
            return await self._mail.send(
                Mail(
                    reference=message.reference,
                    recipient=message.recipient,
                    sender_name=letter.sender.name,
                    words=words,
                    language=letter.person.language,
                    at=now,
                )
            )
        if self._sms is None:
            raise _DroppedError("no_sms_gateway")
        return await self._sms.send(
            Sms(reference=message.reference, recipient=message.recipient, text=words.text)
        )

    async def _secrets(self, message: Message) -> dict[str, str]:
        """Ask for what no table holds."""
        if message.template is Template.CODE_RELEASED:
            code = await self._code_source(message.organisation_id, message.booking_id or "")
            if code is None:
                raise _DroppedError("no_code")
            return {"code": code}
        if message.template is Template.PASSWORD_LINK:
            link = await self._link_source(message.organisation_id, message.person_id)
            if link is None:
                raise _DroppedError("no_link")
            return {"link": link}
        return {}

    async def _letter(self, message: Message, now: datetime) -> _Letter:
        async with self._db.read(message.organisation_id) as reader:
            person = await store.recipient(reader, message.person_id)
            if person is None or person.disabled:
                raise _DroppedError("person_disabled")
            trip = await self._trip(reader, message, message.booking_id)
            sender = trip.sender if trip else await store.sender(reader, message.organisation_id)
            facts = {"name": person.name, "sender": sender.name, "help_phone": sender.help_phone}
            facts |= await self._about(reader, message, trip, now)
        return _Letter(sender=sender, person=person, facts=facts)

    async def _trip(self, reader: Reader, message: Message, booking_id: str | None) -> Trip | None:
        if booking_id is None:
            return None
        return await store.trip(reader, message.organisation_id, booking_id)

    async def _about(
        self, reader: Reader, message: Message, trip: Trip | None, now: datetime
    ) -> dict[str, Any]:
        """Facts of the booking or of the invoice, as they are now."""
        if "invoice_id" in message.params:
            return await self._invoice_facts(reader, message)
        if trip is None:
            return {}
        late = await self._trip(reader, message, message.params.get("late_booking_id"))
        code = await self._code_facts(reader, message, trip)
        reason = rules.outdated(message, trip, late=late, revision=code.get("revision"), now=now)
        if reason is not None:
            raise _DroppedError(reason)
        return {**self._trip_facts(message, trip), **code}

    async def _code_facts(self, reader: Reader, message: Message, trip: Trip) -> dict[str, Any]:
        """When the code opens; nothing when the message is about no code or the code is void."""
        if message.template is not Template.CODE_RELEASED:
            return {}
        organisation_id, booking_id = message.organisation_id, trip.booking_id
        window = await store.code_window(reader, organisation_id, booking_id)
        if window is None:
            return {}
        return {
            "revision": window.revision,
            "valid_from": window.valid_from,
            "valid_until": window.valid_until,
            "replaces": await store.told_earlier_code(
                reader, organisation_id, message.person_id, booking_id, window.revision
            ),
        }

    def _trip_facts(self, message: Message, trip: Trip) -> dict[str, Any]:
        over = message.template is Template.BOOKING_CANCELLED
        return {
            "car": trip.car,
            "plate": trip.plate,
            "place": trip.place,
            "slot": trip.slot,
            "start_at": trip.start_at,
            "end_at": trip.end_at,
            "price_cents": trip.quoted_cents,
            "link": f"{self._public_url}/" if over else f"{self._public_url}/bookings/{trip.booking_id}",
            "by": message.params.get("by"),
            "change": message.params.get("change"),
        }

    async def _invoice_facts(self, reader: Reader, message: Message) -> dict[str, Any]:
        invoice_id = str(message.params["invoice_id"])
        facts = await store.invoice(reader, message.organisation_id, invoice_id)
        if facts is None:
            raise _DroppedError("no_invoice")
        return {
            "number": facts.number,
            "total_cents": facts.total_cents,
            "credit": facts.credit,
            "link": f"{self._public_url}/invoices/{invoice_id}",
        }

    async def _record(self, before: Message, after: Message) -> None:
        async def unit(tx: Tx) -> None:
            if await store.save(tx, before, after) and after.state is State.DEAD:
                await self._open_alert(tx, after)

        await self._db.write(before.organisation_id, unit)

    async def _open_alert(self, tx: Tx, lost: Message) -> None:
        trip = await self._trip(tx, lost, lost.booking_id)
        await store.open_alert(
            tx,
            lost,
            cause=_cause(lost),
            severity="high" if lost.template is Template.CODE_RELEASED else "medium",
            station_id=trip.station_id if trip else None,
            at=self._clock.now(),
        )

    # --- for the portal -------------------------------------------------------------------------------

    async def history(
        self,
        organisation_id: str,
        *,
        states: Sequence[State] = (),
        person_id: str | None = None,
        booking_id: str | None = None,
        limit: int = 50,
    ) -> list[Message]:
        """Return messages, newest first, narrowed by what is given."""
        async with self._db.read(organisation_id) as reader:
            return await store.history(
                reader,
                organisation_id,
                states=states,
                person_id=person_id,
                booking_id=booking_id,
                limit=limit,
            )

    async def preview(self, organisation_id: str, message_id: str) -> Words | Refused:
        """Return the words of a message as they would read now, with code and one-time link masked."""
        async with self._db.read(organisation_id) as reader:
            message = await store.message(reader, organisation_id, message_id)
        if message is None:
            return Refused("not_found")
        try:
            letter = await self._letter(message, self._clock.now())
        except _DroppedError as dropped:
            return Refused("message_outdated", {"reason": str(dropped)})
        return _words(message, letter, {"code": MASK, "link": MASK, **letter.facts})

    async def requeue(self, organisation_id: str, message_id: str) -> Refused | None:
        """Try a dead message again, at the address the person has now."""

        async def unit(tx: Tx) -> Refused | None:
            message = await store.message(tx, organisation_id, message_id)
            if message is None or message.state is not State.DEAD:
                return Refused("not_found")
            person = await store.recipient(tx, message.person_id)
            recipient = None if person is None else self._recipient(person, message.channel)
            if not recipient or (message.channel is Channel.SMS and sms_number(recipient) is None):
                return Refused(PHONE_INVALID)
            now = self._clock.now()
            fresh = replace(
                message, state=State.QUEUED, recipient=recipient, attempts=0, next_try_at=now, error=None
            )
            await store.save(tx, message, fresh)
            await store.close_alert(tx, organisation_id, _cause(message), now)
            return None

        refused = await self._db.write(organisation_id, unit)
        self._wake()
        return refused


def _words(message: Message, letter: _Letter, facts: dict[str, Any]) -> Words:
    say = Say(language=letter.person.language, zone=letter.sender.zone)
    return compose(message.template, message.channel, say=say, facts=facts)


def _cause(lost: Message) -> str:
    """Name the trouble: a wrong number is one trouble, however many messages it stops."""
    return f"phone:{lost.person_id}" if lost.error == PHONE_INVALID else f"message:{lost.id}"
