"""What changed, told to live pages after the commit; nothing is kept for those who do not listen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager


class Subscription:
    """Topics that changed since they were last taken, collapsed into a set."""

    def __init__(self) -> None:
        self._topics: set[str] = set()
        self._bell = asyncio.Event()

    def add(self, topics: Iterable[str]) -> None:
        """Note topics; a topic noted twice is one."""
        self._topics.update(topics)
        self._bell.set()

    async def take(self) -> set[str]:
        """Wait for at least one topic, then return and forget all noted ones."""
        await self._bell.wait()
        self._bell.clear()
        taken, self._topics = self._topics, set()
        return taken

    async def __aiter__(self) -> AsyncIterator[set[str]]:
        """Yield sets of topics for ever."""
        while True:
            yield await self.take()


class Changes:
    """The hub: writers publish topics such as ``station:eurre``, pages subscribe."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()

    @contextmanager
    def subscribe(self) -> Iterator[Subscription]:
        """Listen for the length of a `with` block."""
        subscription = Subscription()
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def publish(self, topics: Iterable[str]) -> None:
        """Tell every subscriber."""
        for subscription in self._subscriptions:
            subscription.add(topics)
