"""A booking is a driver's hold on a vehicle: `[start_at, end_at)`, kept free until `blocked_until`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from supervision.kernel.timespan import Timespan, format_instant


class BookingStatus(StrEnum):
    """Where a booking stands; the moves between them are the table in booking.machine."""

    BOOKED = "booked"
    ACTIVE = "active"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    NO_SHOW = "no_show"


# Statuses that keep the vehicle from others (the schema's guard knows the same words) and that count
# among a driver's upcoming bookings (C21).
HOLDING = frozenset({BookingStatus.BOOKED, BookingStatus.ACTIVE})


class Usage(StrEnum):
    """Who drives for whom: a resident, or the municipality's own staff (C5)."""

    PUBLIC = "public"
    STAFF = "staff"


@dataclass(frozen=True, kw_only=True)
class ReturnEvidence:
    """What was seen at the return; None means that nothing there can tell.

    `exception` is the reason given for a return without a key or a charge, kept for the bill and the manager.
    """

    key_returned: bool | None = None
    plugged: bool | None = None
    charging: bool | None = None
    exception: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Write the evidence as stored."""
        return {
            "key_returned": self.key_returned,
            "plugged": self.plugged,
            "charging": self.charging,
            "exception": self.exception,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> ReturnEvidence:
        """Read the evidence as stored."""
        return cls(
            **{name: document.get(name) for name in ("key_returned", "plugged", "charging", "exception")}
        )


@dataclass(frozen=True, kw_only=True)
class Booking:
    """One booking with its whole life; instants are aware UTC."""

    id: str
    organisation_id: str
    community_id: str
    station_id: str
    vehicle_id: str
    driver_id: str
    made_by_id: str
    status: BookingStatus
    start_at: datetime
    end_at: datetime
    blocked_until: datetime
    made_at: datetime
    planned_km: int | None = None
    usage: Usage = Usage.PUBLIC
    purpose: str | None = None
    quoted_cents: int | None = None
    tariff_id: str | None = None
    started_at: datetime | None = None
    returned_at: datetime | None = None
    cancelled_at: datetime | None = None
    start_km: int | None = None
    return_km: int | None = None
    late_told_at: datetime | None = None
    return_evidence: ReturnEvidence | None = None
    fault_waived: bool = False
    version: int = 1

    @property
    def span(self) -> Timespan:
        """The planned interval."""
        return Timespan(self.start_at, self.end_at)

    @property
    def ended_at(self) -> datetime:
        """When the trip ended: the return once there is one, the planned end until then."""
        return self.returned_at or self.end_at


@dataclass(frozen=True, kw_only=True)
class BookingRequest:
    """What somebody asks for; nothing is checked yet, `end_at` may even precede `start_at`."""

    vehicle_id: str
    driver_id: str
    start_at: datetime
    end_at: datetime
    planned_km: int | None = None
    usage: Usage = Usage.PUBLIC
    purpose: str | None = None
    quoted_cents: int | None = None


@dataclass(frozen=True, kw_only=True)
class VehicleBlock:
    """A time the vehicle is kept from bookings (cleaning, repair: C6)."""

    id: str
    vehicle_id: str
    start_at: datetime
    end_at: datetime
    reason: str

    @property
    def span(self) -> Timespan:
        """The blocked interval."""
        return Timespan(self.start_at, self.end_at)


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """What stands against a vehicle or at a station, oldest first."""

    bookings: tuple[Booking, ...] = ()
    blocks: tuple[VehicleBlock, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """Something that could be booked instead of what was refused."""

    vehicle_id: str
    start_at: datetime
    end_at: datetime

    def to_json(self) -> dict[str, str]:
        """Write the proposal as a refusal's parameter."""
        return {
            "vehicle": self.vehicle_id,
            "start_at": format_instant(self.start_at),
            "end_at": format_instant(self.end_at),
        }
