"""An access code: one per booking, for the key box, the immobiliser and the charging station (C7, C24, C44).

The digits stand in no table and in no repr: they are derived when needed (see `access.codes`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from supervision.kernel.timespan import Timespan


@dataclass(frozen=True, kw_only=True)
class AccessCode:
    """What is stored of a code; instants are aware UTC.

    `box_revision` is the revision the key box has confirmed, None when it holds none.
    """

    booking_id: str
    organisation_id: str
    station_id: str
    vehicle_id: str
    revision: int
    valid_from: datetime
    valid_until: datetime
    released_at: datetime | None = None
    revoked_at: datetime | None = None
    box_revision: int | None = None

    @property
    def window(self) -> Timespan:
        """When the code opens: part of what the digits are derived from."""
        return Timespan(self.valid_from, self.valid_until)


@dataclass(frozen=True, kw_only=True)
class VisibleCode:
    """A code as shown to its driver."""

    digits: str = field(repr=False)
    valid_from: datetime
    valid_until: datetime
    released_at: datetime
    revision: int
