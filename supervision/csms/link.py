"""What the central system asks of a websocket, so that two servers and the tests can give it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class LinkClosedError(ConnectionError):
    """The socket is closed, by whichever side."""


Answer = Callable[[str], None]  # sends a text without waiting; a socket closed meanwhile is no error
Take = Callable[[str, Answer], bool]


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

    def listen(self, take: Take | None) -> None:
        """Offer texts to `take` where they arrive; those it does not want come from `recv`.

        Only while `recv` waits with nothing before it, so that the order is kept. A link may never offer any.
        """
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
