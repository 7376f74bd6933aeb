"""One socket from its first message to its last: in order, within its allowance, answered after the commit.

Most messages need no more than rows: those are taken where they arrive and answered where their commit is
told, without waking a task for either. All others wait for the reading task, which takes them one by one.
"""

from __future__ import annotations

import asyncio
from functools import partial

from supervision.csms import metrics
from supervision.csms.link import Answer
from supervision.csms.registry import Connection
from supervision.csms.relay.opinions import Opinions
from supervision.csms.service import CentralService
from supervision.store.db import StoreUnavailableError

MAX_UNSOLICITED = 20  # answers nobody asked for, per minute
_MINUTE_S = 60


class Allowance:
    """What is read of one station: a flood waits in its own socket, nothing is refused.

    `now` is in seconds of any clock that never goes back.
    """

    def __init__(self, *, rate_per_s: float, burst: int, now: float) -> None:
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._left = float(burst)
        self._refilled = now

    def covers(self, now: float) -> bool:
        """Tell whether one message need not wait."""
        self._refill(now)
        return self._left >= 1

    def spend(self, now: float) -> float:
        """Take one message off; return how many seconds it has to wait."""
        self._refill(now)
        self._left -= 1
        return max(0.0, -self._left / self._rate_per_s)

    def _refill(self, now: float) -> None:
        self._left = min(self._burst, self._left + (now - self._refilled) * self._rate_per_s)
        self._refilled = now


class Conversation:
    """One authenticated and negotiated socket."""

    def __init__(
        self,
        service: CentralService,
        connection: Connection,
        *,
        settle_s: float,
        rate_per_s: float,
        burst: int,
        opinions: Opinions | None = None,
    ) -> None:
        self._service = service
        self._opinions = opinions
        self._connection = connection
        self._settle_s = settle_s
        self._loop = asyncio.get_running_loop()
        self._allowance = Allowance(rate_per_s=rate_per_s, burst=burst, now=self._loop.time())
        self._tasks: asyncio.TaskGroup = asyncio.TaskGroup()
        self._committing = False  # a message taken at once has no answer yet
        self._over = False

    async def run(self) -> None:
        """Talk until the socket closes; LinkClosedError and StoreUnavailableError come in a group."""
        connection = self._connection
        async with self._tasks:
            sender = self._tasks.create_task(connection.outbound.run())
            settling = self._tasks.create_task(self._settle())
            await self._service.commands.connected(connection)
            connection.link.listen(self._take)
            try:
                await self._read()
            finally:
                self._over = True
                connection.link.listen(None)
                sender.cancel()
                settling.cancel()

    async def _settle(self) -> None:
        """A station that booted in an earlier connection need not boot again (1.6 4.2, 2.0.1 B01)."""
        if self._connection.known:
            await asyncio.sleep(self._settle_s)
            self._connection.outbound.open()

    # --- one after another ------------------------------------------------------------------------------

    async def _read(self) -> None:
        """Take messages one after another; the next is read when the last was answered."""
        connection = self._connection
        minute, answers = self._loop.time(), 0
        while True:
            text = await connection.link.recv()
            now = self._loop.time()
            wait_s = self._allowance.spend(now)
            if wait_s:
                await asyncio.sleep(wait_s)
            await self._deal_with(text)
            if now - minute > _MINUTE_S:
                minute, answers = now, connection.unsolicited
            if connection.unsolicited - answers > MAX_UNSOLICITED:
                await self._dismiss(1008, "answers nobody asked for")

    async def _deal_with(self, text: str) -> None:
        connection = self._connection
        reply = await self._reply(text)
        if reply:
            await connection.link.send(reply)
            metrics.frames("out", connection.version.number).inc()
        if connection.booted:
            connection.outbound.open()

    async def _reply(self, text: str) -> str | None:
        """Our committed answer; of a station owned elsewhere, with the part that is the owner's."""
        connection, opinions = self._connection, self._opinions
        question = None if opinions is None else opinions.ask(connection, text)
        reply = await self._service.receive(connection, text)
        if opinions is None or question is None or not reply:
            return reply
        return await opinions.settle(connection, question, reply)

    async def _dismiss(self, code: int, reason: str) -> None:
        """Close and read on, into nothing: a flooder's own Close stands behind all that it has sent."""
        link = self._connection.link
        link.listen(None)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(link.close(code, reason))
            while True:
                await link.recv()

    # --- at once ----------------------------------------------------------------------------------------

    def _take(self, text: str, answer: Answer) -> bool:
        """Take a message that needs no more than rows; False leaves it to the reading task.

        One at a time: what comes before the answer to the last is no station in a hurry but a flood.
        """
        now = self._loop.time()
        if self._committing or not self._allowance.covers(now):
            return False
        self._committing = self._service.receive_at_once(
            self._connection, text, partial(self._committed, text, answer)
        )
        if self._committing:
            self._allowance.spend(now)
        return self._committing

    def _committed(self, text: str, answer: Answer, reply: str, error: BaseException | None) -> None:
        self._committing = False
        if error is None:
            answer(reply)
            metrics.frames("out", self._connection.version.number).inc()
        elif not self._over:
            self._tasks.create_task(self._not_kept(text, error))

    async def _not_kept(self, text: str, error: BaseException) -> None:
        """An outage ends the conversation; rows at fault are dealt with where faults are told."""
        if isinstance(error, StoreUnavailableError):
            raise error
        await self._deal_with(text)
