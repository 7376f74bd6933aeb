"""What the central system asks of a websocket, so that two servers and the tests can give it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class LinkClosedError(ConnectionError):
    """The socket is closed, by whichever side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """The other end. `address` is the network address without port."""

    address: str


class Link(Protocol):
    """One websocket of a charging station, already authenticated and negotiated."""

    @property
    def peer(self) -> Peer:
        """The other end."""
        ...

    async def recv(self) -> str:
        """Return the next text message; LinkClosedError when there is none any more."""
        ...

    async def send(self, text: str) -> None:
        """Send one text message; LinkClosedError when that is impossible."""
        ...

    async def close(self, code: int, reason: str) -> None:
        """Close; closing twice does nothing."""
        ...

    async def alive(self, timeout_s: float) -> bool:
        """Tell whether the other end still answers a ping."""
        ...
