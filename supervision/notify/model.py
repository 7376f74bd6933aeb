"""What is told to whom, by which channel, and how a delivery ends. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from supervision.kernel.timespan import to_millis

LANGUAGES = ("fr", "en")  # the first is spoken to people whose locale is another


class Channel(StrEnum):
    """How a message reaches somebody."""

    MAIL = "mail"
    SMS = "sms"


class Template(StrEnum):
    """What a message is about; the file ``templates/<language>/<template>.txt`` holds its words."""

    BOOKING_MADE = "booking_made"
    CODE_RELEASED = "code_released"
    BOOKING_MOVED = "booking_moved"
    BOOKING_CANCELLED = "booking_cancelled"
    BOOKING_LATE = "booking_late"
    NEXT_DRIVER_WARNED = "next_driver_warned"
    INVOICE_ISSUED = "invoice_issued"
    PAYMENT_DECLINED = "payment_declined"
    PASSWORD_LINK = "password_link"  # noqa: S105 - a template's name


class State(StrEnum):
    """Where a message stands. Queued and failed ones are tried again, the others are settled."""

    QUEUED = "queued"
    FAILED = "failed"  # will be tried again at next_try_at
    SENT = "sent"  # accepted by the mail server or the SMS gateway
    KEPT = "kept"  # no provider is configured: written down, not sent
    DROPPED = "dropped"  # no longer true when its turn came (booking cancelled, code replaced ...)
    DEAD = "dead"  # given up; the portal shows it


WAITING = (State.QUEUED, State.FAILED)


@dataclass(frozen=True, kw_only=True)
class Message:
    """One row of `messages`: who is told what; the words are made when it is sent.

    `params` never holds a code or a one-time link: secrets are asked for at the moment of sending.
    """

    id: str
    organisation_id: str
    person_id: str
    template: Template
    channel: Channel
    recipient: str
    queued_at: datetime
    booking_id: str | None = None
    state: State = State.QUEUED
    attempts: int = 0
    next_try_at: datetime | None = None
    sent_at: datetime | None = None
    error: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reference(self) -> str:
        """Name of this message towards providers: the same at every attempt, so that a repeat is recognised.

        The queueing instant keeps the references of a database that was set up anew apart from the old ones.
        """
        return f"{self.id}-{to_millis(self.queued_at)}"


@dataclass(frozen=True, kw_only=True)
class Words:
    """A composed message: one line of subject (mail), the text, and the same as HTML (mail)."""

    text: str
    subject: str = ""
    html: str = ""


@dataclass(frozen=True, kw_only=True)
class Mail:
    """What a mail provider is given."""

    reference: str
    recipient: str
    sender_name: str
    words: Words
    language: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Sms:
    """What an SMS provider is given: a number in E.164 and at most 160 characters of the GSM alphabet."""

    reference: str
    recipient: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """The provider took the message; `kept` means that it stays here because there is nobody to send it."""

    reference: str
    kept: bool = False


class DeliveryError(Exception):
    """A provider did not take a message.

    ``permanent``: this message will never pass (no such mailbox). ``unreachable``: the provider itself does
    not work (refused connection, wrong password), which says nothing about the message.
    """

    def __init__(self, detail: str, *, permanent: bool = False, unreachable: bool = False) -> None:
        super().__init__(detail)
        self.permanent = permanent
        self.unreachable = unreachable


@dataclass(frozen=True, kw_only=True)
class Recipient:
    """The person told, as far as messages need to know them."""

    id: str
    name: str
    email: str
    phone: str | None
    language: str
    disabled: bool


@dataclass(frozen=True, kw_only=True)
class Trip:
    """A booking with the names of its car and place, as they are now."""

    booking_id: str
    driver_id: str
    status: str
    start_at: datetime
    end_at: datetime
    quoted_cents: int | None
    vehicle_id: str
    car: str
    plate: str
    slot: int | None
    station_id: str
    place: str
    sender: Sender


@dataclass(frozen=True, kw_only=True)
class Sender:
    """In whose name a message goes out: the community, its hours and its help line."""

    name: str
    zone: ZoneInfo
    help_phone: str


def language_of(locale: str) -> str:
    """Return the language to write in: that of the locale when it is spoken here, else French."""
    language = locale.replace("_", "-").partition("-")[0].lower()
    return language if language in LANGUAGES else LANGUAGES[0]
