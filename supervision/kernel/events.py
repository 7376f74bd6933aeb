"""Domain events: how packages that may not import each other talk, through the outbox.

An event is written in the transaction that made it true and delivered at least once afterwards; every
consumer may see it twice. Events carry ids, not copies: a consumer re-reads the truth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import ClassVar

_REGISTRY: dict[str, type[Event]] = {}


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened, in one organisation (the tenant)."""

    organisation_id: str
    name: ClassVar[str] = "Event"

    def __init_subclass__(cls) -> None:
        cls.name = cls.__name__
        _REGISTRY[cls.__name__] = cls

    def payload(self) -> dict[str, object]:
        """Return the event as JSON-ready values."""
        return asdict(self)


def event_from(name: str, payload: Mapping[str, object]) -> Event:
    """Rebuild an event written earlier; unknown fields of a newer version are ignored."""
    kind = _REGISTRY[name]
    known = {field.name for field in fields(kind)}
    return kind(**{key: value for key, value in payload.items() if key in known})  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True)
class BookingEvent(Event):
    """Anything about one booking."""

    booking_id: str
    vehicle_id: str
    station_id: str


@dataclass(frozen=True, kw_only=True)
class BookingMade(BookingEvent):
    """A driver holds a vehicle."""


@dataclass(frozen=True, kw_only=True)
class BookingMoved(BookingEvent):
    """Start, end or vehicle changed (extended, shortened, moved); the access code must follow."""

    change: str  # "extended" | "shortened" | "moved"


@dataclass(frozen=True, kw_only=True)
class BookingCancelled(BookingEvent):
    """The hold is gone."""

    by: str  # "driver" | "manager" | "no_show"


@dataclass(frozen=True, kw_only=True)
class BookingStarted(BookingEvent):
    """The driver took the car."""


@dataclass(frozen=True, kw_only=True)
class BookingReturned(BookingEvent):
    """The car is back: the bill and the charge follow."""


@dataclass(frozen=True, kw_only=True)
class BookingLate(BookingEvent):
    """The planned end passed and the car is not back."""


@dataclass(frozen=True, kw_only=True)
class AccessCodeReleased(BookingEvent):
    """The code of this booking may now be shown and sent."""

    revision: int


@dataclass(frozen=True, kw_only=True)
class ChargingStationEvent(Event):
    """Anything about one charging station."""

    charging_station: str
    station_id: str


@dataclass(frozen=True, kw_only=True)
class ChargingStationBooted(ChargingStationEvent):
    """A BootNotification was accepted."""


@dataclass(frozen=True, kw_only=True)
class ChargingStationConnected(ChargingStationEvent):
    """A websocket was accepted and authenticated."""


@dataclass(frozen=True, kw_only=True)
class ChargingStationDisconnected(ChargingStationEvent):
    """The last websocket of the station closed."""


@dataclass(frozen=True, kw_only=True)
class EvseStatusChanged(ChargingStationEvent):
    """A connector reported another status; `status` is the neutral word of csms.model."""

    evse_id: int
    status: str


@dataclass(frozen=True, kw_only=True)
class ChargingTransactionStarted(ChargingStationEvent):
    """Energy delivery began at an EVSE."""

    evse_id: int
    charging_transaction_id: int


@dataclass(frozen=True, kw_only=True)
class ChargingTransactionEnded(ChargingStationEvent):
    """Energy delivery ended, or what is known of its end was revised; the row holds both registers."""

    evse_id: int
    charging_transaction_id: int


@dataclass(frozen=True, kw_only=True)
class ChargingTransactionResumed(ChargingStationEvent):
    """A presumed end was none: the charge has spoken again."""

    evse_id: int
    charging_transaction_id: int


@dataclass(frozen=True, kw_only=True)
class CommandFinished(ChargingStationEvent):
    """A command to a charging station came to its end; `state` is a word of csms.outbound.CommandState."""

    command_id: str
    action: str
    state: str


@dataclass(frozen=True, kw_only=True)
class DeviceNoticeReceived(ChargingStationEvent):
    """A station told something about itself that a person should look at, or that it is over.

    `kind` is a word of csms.devices.model.NoticeKind, `about` names the matter.
    """

    notice_id: int
    kind: str
    about: str
    cleared: bool


@dataclass(frozen=True, kw_only=True)
class CertificateEvent(ChargingStationEvent):
    """Anything about a certificate of a charging station; the id is that of its row."""

    certificate_id: int


@dataclass(frozen=True, kw_only=True)
class CertificateRequested(CertificateEvent):
    """The station asked for a signature, or asked again because nothing has reached it."""


@dataclass(frozen=True, kw_only=True)
class CertificateInstalled(CertificateEvent):
    """The station accepted what was signed."""


@dataclass(frozen=True, kw_only=True)
class CertificateRefused(CertificateEvent):
    """We did not sign, or the station did not take what was signed; `reason` is a code."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class IdTokensChanged(Event):
    """Badges were added or changed: the lists that stations keep follow."""


@dataclass(frozen=True, kw_only=True)
class ChargingLimitDiffers(ChargingStationEvent):
    """Measured power says that the station does not follow its profile, or no longer does."""

    evse_id: int


@dataclass(frozen=True, kw_only=True)
class VehicleEnergyChanged(Event):
    """The energy ledger of a car moved enough to plan again."""

    vehicle_id: str
    station_id: str


@dataclass(frozen=True, kw_only=True)
class InvoiceIssued(Event):
    """An invoice was frozen and numbered."""

    invoice_id: str
    booking_id: str | None


@dataclass(frozen=True, kw_only=True)
class PaymentDeclined(Event):
    """The payment provider refused to pay an invoice; the person must act."""

    invoice_id: str
    booking_id: str | None


@dataclass(frozen=True, kw_only=True)
class PersonInvited(Event):
    """A person must receive a link to choose a password."""

    person_id: str
