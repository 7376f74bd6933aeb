"""Who is connected now. Entries belong to a socket: only the socket that made an entry can remove it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from supervision.csms import metrics
from supervision.csms.frame import Version
from supervision.csms.holding import Registration
from supervision.csms.link import Link
from supervision.csms.model import ConnectorStatus
from supervision.csms.outbound import Outbound
from supervision.csms.store import Station


@dataclass(eq=False)
class Connection:
    """One live socket with what is known without asking the database.

    `statuses` maps an EVSE to its last status and the station's time of it; `open_transactions` maps an OCPP
    transaction id to the row and the EVSE; `violations` counts what was tolerated, over all connections.
    """

    station: Station
    version: Version
    link: Link
    outbound: Outbound
    connected_at: datetime
    statuses: dict[int, tuple[ConnectorStatus, datetime | None]] = field(default_factory=dict)
    max_power_w: dict[int, float] = field(default_factory=dict)
    open_transactions: dict[str, tuple[int, int]] = field(default_factory=dict)
    violations: Counter[str] = field(default_factory=Counter)
    clock_offset_ms: int | None = None
    known: bool = False  # it booted in an earlier connection
    booted: bool = False
    held: Registration | None = None  # its boot was not accepted: Pending or Rejected
    expected: Counter[str] = field(default_factory=Counter)  # what we asked a held station to send
    unsolicited: int = 0
    log_lines: int = 0


class Registry:
    """Live connections by identity."""

    def __init__(self) -> None:
        self._live: dict[str, Connection] = {}

    def get(self, identity: str) -> Connection | None:
        """Return the live connection of a station."""
        return self._live.get(identity)

    def connected(self, identity: str) -> bool:
        """Tell whether the station has an open socket now."""
        return identity in self._live

    def put(self, connection: Connection) -> Connection | None:
        """Enter a connection; return the one it replaces, which its owner must close."""
        replaced = self._live.get(connection.station.identity)
        self._live[connection.station.identity] = connection
        metrics.CONNECTED.set(len(self._live))
        return replaced

    def remove(self, connection: Connection) -> bool:
        """Remove this very connection; False when another one has taken its place."""
        if self._live.get(connection.station.identity) is not connection:
            return False
        del self._live[connection.station.identity]
        metrics.CONNECTED.set(len(self._live))
        return True

    def __iter__(self) -> Iterator[Connection]:
        """Iterate over a copy, so that connections may come and go meanwhile."""
        return iter(list(self._live.values()))

    def __len__(self) -> int:
        """How many stations are connected."""
        return len(self._live)
