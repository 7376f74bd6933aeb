"""What a relay is, and how patient it is (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from supervision.csms.frame import Version

Payload = Mapping[str, Any]


class Owner(StrEnum):
    """Whose answer about badges and cost the station gets, and who may ask something of it."""

    HERE = "here"
    THERE = "there"


class Trouble(StrEnum):
    """Why a relay is not connected, or what went wrong last; translated by the web layer."""

    HOST_NOT_ALLOWED = "host_not_allowed"
    KEY_LOST = "key_lost"  # the password was sealed with another key of the installation
    UNREACHABLE = "unreachable"
    HANDSHAKE_REFUSED = "handshake_refused"
    NO_SUB_PROTOCOL = "no_sub_protocol"
    LINE_LOST = "line_lost"
    SILENT = "silent"
    BOOT_PENDING = "boot_pending"
    BOOT_REJECTED = "boot_rejected"
    CALL_REFUSED = "call_refused"
    CANNOT_BE_TOLD = "cannot_be_told"
    INVALID_ANSWER = "invalid_answer"
    OUR_FAULT = "our_fault"


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """One charging station's second backend, as it was set up at `changed_at`."""

    organisation_id: str
    charging_station: str
    station_id: str
    url: str
    identity: str
    password_sealed: bytes | None
    owner: Owner
    changed_at: datetime

    @property
    def topic(self) -> str:
        """What tells that its charging station has said something."""
        return f"station:{self.station_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StationFacts:
    """What a backend is told of a station when it is dialled: the newest of everything.

    `boot` is None before the first one; `evses` maps a number to status, error code and the time of both.
    """

    version: Version | None
    online: bool
    boot: Mapping[str, str] | None
    evses: Mapping[int, tuple[str, str | None, datetime | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a relay waits for what; seconds.

    `answer_s` and `poll_s` are of the wire and of the world's time, the others of the service's clock.
    """

    answer_s: float = 30
    poll_s: float = 5
    retry_s: tuple[float, ...] = (10, 30)  # after the first CALLERROR, the second; then it is skipped
    longest_backoff_s: float = 300

    def backoff_s(self, failures: int, draw: float) -> float:
        """Return the pause before the next dial: doubling, bounded, between half and all of it by `draw`."""
        pause = min(self.longest_backoff_s, 2.0 ** min(failures, 16))
        return pause * (1 + draw) / 2


_SHORTEST_S, _LONGEST_RETRY_S, _LONGEST_HEARTBEAT_S = 10, 3600, 86_400


def heartbeat_s(answer: Payload) -> int:
    """Return the heartbeat interval of a boot's answer; none is five minutes (1.6 4.2, 2.0.1 B01)."""
    return _interval(answer, usual=300, longest=_LONGEST_HEARTBEAT_S)


def boot_retry_s(answer: Payload) -> int:
    """Return how long to wait before the next boot when this one was Pending or Rejected."""
    return _interval(answer, usual=60, longest=_LONGEST_RETRY_S)


def _interval(answer: Payload, *, usual: int, longest: int) -> int:
    told = answer.get("interval")
    if isinstance(told, bool) or not isinstance(told, int) or told <= 0:
        return usual
    return max(_SHORTEST_S, min(told, longest))
