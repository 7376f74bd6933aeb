"""Our CALLs on one socket: by priority, one outstanding, failed at once when the socket closes."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from supervision.csms.frame import CallError, CallResult


class CommandState(StrEnum):
    """What became of a command; the first two are on the way."""

    QUEUED = "queued"
    SENT = "sent"
    ANSWERED = "answered"
    ERROR = "error"
    TIMEOUT = "timeout"
    OFFLINE = "offline"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a CALL ended: `response` when answered, `error` {code, description, details} otherwise."""

    state: CommandState
    response: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None


TIMED_OUT = Outcome(state=CommandState.TIMEOUT)
WENT_OFFLINE = Outcome(state=CommandState.OFFLINE)

# Safety before comfort: what ends energy or frees a cable goes first, questions go last.
_PRIORITIES: Mapping[int, frozenset[str]] = {
    0: frozenset({"RemoteStopTransaction", "RequestStopTransaction", "UnlockConnector"}),
    1: frozenset({"RemoteStartTransaction", "RequestStartTransaction"}),
    2: frozenset({"SetChargingProfile", "ClearChargingProfile"}),
    3: frozenset({"ChangeConfiguration", "SetVariables", "ChangeAvailability"}),
}


def priority_of(action: str) -> int:
    """0 is the most urgent."""
    return next((level for level, actions in _PRIORITIES.items() if action in actions), 4)


@dataclass(order=True)
class QueuedCall:
    """One CALL on its way. `deadline` is in seconds of the event loop's clock."""

    priority: int
    sequence: int
    command_id: str = field(compare=False)
    action: str = field(compare=False)
    payload: Mapping[str, Any] = field(compare=False)
    deadline: float = field(compare=False)
    done: asyncio.Future[Outcome] = field(compare=False)

    def finish(self, outcome: Outcome) -> None:
        """Set the outcome once; later ones are ignored."""
        if not self.done.done():
            self.done.set_result(outcome)


class Outbound:
    """The queue of one socket. `transmit` stores the frame, commits, then sends it."""

    def __init__(self, transmit: Callable[[QueuedCall], Awaitable[None]]) -> None:
        self._transmit = transmit
        self._heap: list[QueuedCall] = []
        self._sequence = itertools.count()
        self._bell = asyncio.Event()
        self._ready = asyncio.Event()
        self._outstanding: QueuedCall | None = None
        self._closed = False

    @property
    def ready(self) -> bool:
        """Whether CALLs may be sent: not before the boot was answered or the station is known."""
        return self._ready.is_set()

    def open(self) -> None:
        """Allow sending."""
        self._ready.set()

    def put(
        self, *, command_id: str, action: str, payload: Mapping[str, Any], timeout_s: float
    ) -> asyncio.Future[Outcome]:
        """Queue a CALL; the future always gets an outcome, also when the socket closes."""
        loop = asyncio.get_running_loop()
        call = QueuedCall(
            priority_of(action),
            next(self._sequence),
            command_id,
            action,
            payload,
            loop.time() + timeout_s,
            loop.create_future(),
        )
        if self._closed:
            call.finish(WENT_OFFLINE)
        else:
            heapq.heappush(self._heap, call)
            loop.call_at(call.deadline, self._expire, call)
            self._bell.set()
        return call.done

    async def run(self) -> None:
        """Send one CALL after another until cancelled."""
        await self._ready.wait()
        while True:
            call = await self._next()
            self._outstanding = call
            await self._transmit(call)
            await asyncio.wait([call.done])
            self._outstanding = None

    async def _next(self) -> QueuedCall:
        while True:
            while self._heap:
                call = heapq.heappop(self._heap)
                if not call.done.done():
                    return call
            self._bell.clear()
            await self._bell.wait()

    def _expire(self, call: QueuedCall) -> None:
        call.finish(TIMED_OUT)

    def resolve(self, frame: CallResult | CallError) -> bool:
        """Give an answer to the CALL that waits for it; False when none does."""
        call = self._outstanding
        if call is None or call.command_id != frame.message_id or call.done.done():
            return False
        call.finish(outcome_of(frame))
        return True

    def close(self) -> None:
        """Fail everything that waits, at once."""
        self._closed = True
        if self._outstanding is not None:
            self._outstanding.finish(WENT_OFFLINE)
        for call in self._heap:
            call.finish(WENT_OFFLINE)
        self._heap.clear()


def outcome_of(frame: CallResult | CallError) -> Outcome:
    """Read an answer of the station."""
    if isinstance(frame, CallResult):
        return Outcome(state=CommandState.ANSWERED, response=frame.payload)
    error = {"code": frame.code, "description": frame.description, "details": frame.details}
    return Outcome(state=CommandState.ERROR, error=error)
