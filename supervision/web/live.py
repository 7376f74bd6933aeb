"""Live pages: one stream of server-sent events each, fragments of what changed, at most one per second.

A fragment is the markup of the whole page's part, wrapped for htmx 4: ``<hx-partial hx-target="#id">``. Pages
listen to topics that writers touch (``station:ID``, ``alerts:ORGANISATION`` ...); nothing is polled.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import Response

from supervision.store.changes import Subscription
from supervision.web.visit import Visit

AT_MOST_EVERY_S = 1.0
TICK_S = 10.0  # without any change the clock still moves: the line of now, "2 min ago"
SEND_TIMEOUT_S = 10


@dataclass(frozen=True)
class Part:
    """New content of one element."""

    element: str
    html: str


Refresh = Callable[[frozenset[str]], Awaitable[Sequence[Part]]]


def stream(visit: Visit, *, wanted: Callable[[str], bool], refresh: Refresh) -> Response:
    """Return the stream; `refresh` gets the touched topics, or none when only time has passed."""
    return EventSourceResponse(
        _events(visit, wanted, refresh),
        ping=15,
        send_timeout=SEND_TIMEOUT_S,
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(
    visit: Visit, wanted: Callable[[str], bool], refresh: Refresh
) -> AsyncIterator[ServerSentEvent]:
    with visit.services.db.changes.subscribe() as subscription:
        while True:
            touched = await _touched(subscription, wanted)
            if subscription.closed or not (touched or await _still_signed_in(visit)):
                return
            parts = await refresh(touched)
            if parts:
                yield ServerSentEvent(data="".join(map(_partial, parts)), sep="\n")
            await asyncio.sleep(AT_MOST_EVERY_S)


async def _touched(subscription: Subscription, wanted: Callable[[str], bool]) -> frozenset[str]:
    """Wait for topics this page shows; an empty set after a tick without any."""
    with suppress(TimeoutError):
        async with asyncio.timeout(TICK_S):
            while not subscription.closed:
                found = frozenset(topic for topic in await subscription.take() if wanted(topic))
                if found:
                    return found
    return frozenset()


async def _still_signed_in(visit: Visit) -> bool:
    token = visit.request.cookies.get(visit.cookies.name("session"), "")
    return await visit.services.accounts.session(token) is not None


def _partial(part: Part) -> str:
    return f'<hx-partial hx-target="#{part.element}" hx-swap="innerMorph">{part.html}</hx-partial>'
