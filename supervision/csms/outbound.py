"""Our CALLs on one socket: by priority, one outstanding, failed at once when the socket closes."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from supervision.csms.command_policy import priority_of
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
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a CALL ended: `response` when answered, `error` {code, description, details} otherwise."""

    state: CommandState
    response: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None


TIMED_OUT = Outcome(state=CommandState.TIMEOUT)
WENT_OFFLINE = Outcome(state=CommandState.OFFLINE)
CALLED_OFF = Outcome(state=CommandState.CANCELLED)


@dataclass(order=True)
class QueuedCall:
    """One CALL on its way. `deadline` is in seconds of the event loop's clock.

    A command may be several CALLs (`csms.parts`) and be tried again (`tries` counts from 1); `kept` is its
    whole payload with secrets masked, as it stays in the table once something was sent.
    """

    priority: int
    sequence: int
    command_id: str = field(compare=False)
    message_id: str = field(compare=False)
    action: str = field(compare=False)
    payload: Mapping[str, Any] = field(compare=False)
    kept: Mapping[str, Any] = field(compare=False)
    tries: int = field(compare=False)
    deadline: float = field(compare=False)
    answer_s: float | None = field(compare=False)
    done: asyncio.Future[Outcome] = field(compare=False)

    def finish(self, outcome: Outcome) -> None:
        """Set the outcome once; later ones are ignored."""
        if not self.done.done():
            self.done.set_result(outcome)


class Outbound:
    """The queue of one socket.

    `transmit` stores the frame, commits, then sends it; False says that the command was called off meanwhile.
    """

    def __init__(self, transmit: Callable[[QueuedCall], Awaitable[bool]]) -> None:
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
        self,
        *,
        command_id: str,
        action: str,
        payload: Mapping[str, Any],
        timeout_s: float,
        priority: int | None = None,
        message_id: str | None = None,
        kept: Mapping[str, Any] | None = None,
        tries: int = 1,
        answer_s: float | None = None,
    ) -> asyncio.Future[Outcome]:
        """Queue a CALL; the future always gets an outcome, also when the socket closes.

        `timeout_s` counts from now. With `answer_s` it is only the time to be sent within, and the answer is
        awaited for so long after that.
        """
        loop = asyncio.get_running_loop()
        call = QueuedCall(
            priority=int(priority_of(action)) if priority is None else priority,
            sequence=next(self._sequence),
            command_id=command_id,
            message_id=message_id or command_id,
            action=action,
            payload=payload,
            kept=payload if kept is None else kept,
            tries=tries,
            deadline=loop.time() + timeout_s,
            answer_s=answer_s,
            done=loop.create_future(),
        )
        if self._closed:
            call.finish(WENT_OFFLINE)
        else:
            heapq.heappush(self._heap, call)
            _with_timer(call, loop.call_at(call.deadline, self._give_up, call))
            self._bell.set()
        return call.done

    async def run(self) -> None:
        """Send one CALL after another until cancelled."""
        await self._ready.wait()
        while True:
            call = await self._next()
            self._outstanding = call
            if await self._transmit(call):
                if call.answer_s is not None:
                    loop = asyncio.get_running_loop()
                    _with_timer(call, loop.call_later(call.answer_s, call.finish, TIMED_OUT))
                await asyncio.wait([call.done])
            else:
                call.finish(CALLED_OFF)
            self._outstanding = None

    async def _next(self) -> QueuedCall:
        while True:
            while self._heap:
                call = heapq.heappop(self._heap)
                if not call.done.done():
                    return call
            self._bell.clear()
            await self._bell.wait()

    def _give_up(self, call: QueuedCall) -> None:
        """Its time to be sent is over; when it awaits an answer for a time of its own it goes on."""
        if call is not self._outstanding or call.answer_s is None:
            call.finish(TIMED_OUT)

    def resolve(self, frame: CallResult | CallError) -> bool:
        """Give an answer to the CALL that waits for it; False when none does."""
        call = self._outstanding
        if call is None or call.message_id != frame.message_id or call.done.done():
            return False
        call.finish(outcome_of(frame))
        return True

    def call_off(self, command_id: str) -> None:
        """End what has not been sent of a command; what is on the wire cannot be taken back."""
        for call in self._heap:
            if call.command_id == command_id:
                call.finish(CALLED_OFF)

    def close(self) -> None:
        """Fail everything that waits, at once."""
        self._closed = True
        if self._outstanding is not None:
            self._outstanding.finish(WENT_OFFLINE)
        for call in self._heap:
            call.finish(WENT_OFFLINE)
        self._heap.clear()


def _with_timer(call: QueuedCall, timer: asyncio.TimerHandle) -> None:
    """Let the timer go with the call: some wait for days."""
    call.done.add_done_callback(lambda _: timer.cancel())


def outcome_of(frame: CallResult | CallError) -> Outcome:
    """Read an answer of the station."""
    if isinstance(frame, CallResult):
        return Outcome(state=CommandState.ANSWERED, response=frame.payload)
    error = {"code": frame.code, "description": frame.description, "details": frame.details}
    return Outcome(state=CommandState.ERROR, error=error)
