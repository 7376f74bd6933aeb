"""What every handler is given, and the three ways to answer.

A *hot* handler adds rows to the job and reads nothing; it may return None to say that this message needs
more. A *unit* handler runs inside a unit of work and may read. An *asking* handler waits for others of the
house, such as the certificate authority, before anything is written. In each case the frames, the effects and
the events are committed together before the answer leaves.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from supervision.clock import Clock
from supervision.csms.authorising import IdTokenAuthoriser
from supervision.csms.authority import CertificateAuthority
from supervision.csms.connecting import ConnectPath
from supervision.csms.registry import Connection
from supervision.csms.store import HotPath, Station
from supervision.store.db import Database, Job, Tx

Payload = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Services:
    """What handlers need of the rest of the process."""

    db: Database
    hot: HotPath
    connecting: ConnectPath
    clock: Clock
    authoriser: IdTokenAuthoriser
    boot_interval_s: int
    authority: CertificateAuthority | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """One CALL of a station. `payload` was checked as far as it could be; `job` collects hot rows."""

    connection: Connection
    payload: Payload
    now: datetime
    job: Job = field(default_factory=Job)

    @property
    def station(self) -> Station:
        """The station that sent it."""
        return self.connection.station


HotHandler = Callable[[Services, Incoming], Payload | None]
UnitHandler = Callable[[Services, Incoming, Tx], Awaitable[Payload]]
AskingHandler = Callable[[Services, Incoming], Awaitable[Payload]]


@dataclass(frozen=True, kw_only=True)
class Handler:
    """How a message is handled.

    `fallback` answers a message that carries a charging transaction and is beyond reading: valid, and costing
    the station nothing, where a CALLERROR would make it throw the charge away.
    """

    hot: HotHandler | None = None
    unit: UnitHandler | None = None
    asking: AskingHandler | None = None
    fallback: Payload | None = None


def answer_with(answer: Payload) -> Handler:
    """A message that only needs to be kept and answered."""

    def hot(_services: Services, incoming: Incoming) -> Payload:
        incoming.job.topics.add(incoming.station.topic)
        return answer

    return Handler(hot=hot)
