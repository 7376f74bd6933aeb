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
        self.closed = False

    def close(self) -> None:
        """Tell that nothing will come any more: whoever waits gets what there is, perhaps nothing."""
        self.closed = True
        self._bell.set()

    def add(self, topics: Iterable[str]) -> None:
        """Note topics; a topic noted twice is one."""
        self._topics.update(topics)
        self._bell.set()

    async def take(self) -> set[str]:
        """Wait for at least one topic, then return and forget all noted ones; none once closed."""
        await self._bell.wait()
        if not self.closed:
            self._bell.clear()
        taken, self._topics = self._topics, set()
        return taken

    async def __aiter__(self) -> AsyncIterator[set[str]]:
        """Yield sets of topics until the hub closes."""
        while topics := await self.take():
            yield topics


class Changes:
    """The hub: writers publish topics such as ``station:eurre``, pages subscribe."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()
        self._closed = False

    @contextmanager
    def subscribe(self) -> Iterator[Subscription]:
        """Listen for the length of a `with` block."""
        subscription = Subscription()
        self._subscriptions.add(subscription)
        if self._closed:
            subscription.close()
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def close(self) -> None:
        """End every subscription, also those still to come: the process is stopping."""
        self._closed = True
        for subscription in self._subscriptions:
            subscription.close()

    def publish(self, topics: Iterable[str]) -> None:
        """Tell every subscriber."""
        for subscription in self._subscriptions:
            subscription.add(topics)
