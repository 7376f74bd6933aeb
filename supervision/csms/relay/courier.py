"""One line to a second backend, from the boot to its end: in order, one CALL at a time, as a station speaks.

A message of a charge is repeated until it is answered. A backend that leaves one unanswered is dialled anew:
on the new line the message keeps its id, and an answer to the old try cannot be taken for one to the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

from supervision.chance import new_id
from supervision.clock import Clock
from supervision.csms import metrics
from supervision.csms.commands import CommandService
from supervision.csms.frame import (
    Call,
    CallError,
    CallResult,
    Malformed,
    Version,
    read_frame,
    write_call,
    write_error,
)
from supervision.csms.relay import answering, passing
from supervision.csms.relay.model import (
    Owner,
    Patience,
    Relay,
    Trouble,
    boot_retry_s,
    heartbeat_s,
)
from supervision.csms.relay.opinions import OwnerElsewhere
from supervision.csms.relay.passing import Entry, Silence, Told
from supervision.csms.relay.records import Records
from supervision.kernel.errors import Refused
from supervision.store.db import StoreUnavailableError

NEVER_NEW = 2**63  # an id no frame has
MOST_ORDERS = 4  # of the backend that wait for the station; a proper one sends one at a time
ORDER_S = 25  # how long the station may take, before the backend gives its CALL up


class Line(Protocol):
    """A websocket to the second backend; LinkClosedError when it is closed."""

    async def recv(self) -> str:
        """Return the next text."""
        ...

    async def send(self, text: str) -> None:
        """Send one text."""
        ...


class LineError(Exception):
    """The line must end; `trouble` says why."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.value)
        self.trouble = trouble


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer, and how it stood on the wire."""

    frame: CallResult | CallError
    text: str

    @property
    def payload(self) -> dict[str, object]:
        """What a CALLRESULT says; a CALLERROR says nothing."""
        return self.frame.payload if isinstance(self.frame, CallResult) else {}


class Courier:
    """Carries one station's messages over one line.

    `said` is set when the station may have said something; `proved` is called once the backend has accepted
    the station; `process` owns what must not end with the line. `speaks_next` is set at the end when the next
    message of a charge was said in another version.
    """

    def __init__(
        self,
        line: Line,
        relay: Relay,
        version: Version,
        *,
        records: Records,
        commands: CommandService,
        clock: Clock,
        patience: Patience,
        said: asyncio.Event,
        elsewhere: OwnerElsewhere,
        proved: Callable[[], None],
        process: asyncio.TaskGroup,
    ) -> None:
        self._line = line
        self._relay = relay
        self._version = version
        self._records = records
        self._commands = commands
        self._clock = clock
        self._patience = patience
        self._said = said
        self._elsewhere = elsewhere
        self._proved = proved
        self._process = process
        self.speaks_next: Version | None = None
        self._charge: tuple[int | None, int | None] = (None, None)  # the last one of 1.6: our id, theirs
        self._asked: tuple[str, asyncio.Future[Heard]] | None = None
        self._orders: asyncio.Queue[Call] = asyncio.Queue(MOST_ORDERS)
        self._heartbeat_s = heartbeat_s({})
        self._heartbeat_due = clock.now()

    async def run(self) -> None:
        """Carry until the station is away and nothing is left to be told; errors come in a group."""
        async with asyncio.TaskGroup() as tasks:
            helpers = [tasks.create_task(self._read()), tasks.create_task(self._obey())]
            try:
                await self._deliver()
            finally:
                self._elsewhere.is_live = False
                for helper in helpers:
                    helper.cancel()

    # --- telling ----------------------------------------------------------------------------------------

    async def _deliver(self) -> None:
        await self._boot(passing.boot_call(self._version, await self._records.station(), new_id()))
        newest = await self._records.newest()
        facts = await self._records.station()
        for call in passing.status_calls(self._version, facts, iter(new_id, "")):
            await self._call(call)
        self._proved()
        self._elsewhere.is_live = self._relay.owner is Owner.THERE
        while True:
            self._said.clear()
            progress = await self._records.progress()
            if progress is None:
                return
            entries = await self._records.entries(progress[0])
            facts = await self._records.station()  # after the frames: no younger version hides among them
            if facts.version is not self._version:
                newest = NEVER_NEW
            if entries:
                await self._pass_on(entries, newest, tries=progress[1])
            elif facts.online and facts.version is self._version:
                await self._idle()
            else:
                return  # a station that is away is away there too
            if self.speaks_next is not None:
                return

    async def _boot(self, call: Call) -> None:
        """Boot until accepted; nothing else is said before (1.6 4.2, 2.0.1 B02, B03)."""
        while True:
            payload = (await self._call(call)).payload
            if payload.get("status") == "Accepted":
                break
            rejected = payload.get("status") == "Rejected"
            trouble = Trouble.BOOT_REJECTED if rejected else Trouble.BOOT_PENDING
            self._elsewhere.is_live = False
            await self._records.troubled(trouble, self._clock.now())
            await self._clock.sleep(boot_retry_s(payload))
            call = replace(call, message_id=new_id())
        self._heartbeat_s = heartbeat_s(payload)
        self._put_off_heartbeat()
        await self._records.connected(self._clock.now())

    async def _pass_on(self, entries: list[Entry], newest: int, *, tries: int) -> None:
        """Tell what is to be told of these frames; those up to `newest` were said before this line stood."""
        behind = 0
        for entry in entries:
            told = passing.look(entry, self._version, is_new=entry.id > newest)
            if isinstance(told, Told):
                await self._tell(entry, told, tries)
            elif told is Silence.LOST:
                metrics.RELAYED.labels("lost").inc()
                await self._records.lost(entry, self._clock.now())
            elif told is Silence.OTHER_VERSION:
                self.speaks_next = passing.other(self._version)
                break
            else:
                behind = entry.id
                continue
            behind = tries = 0
        if behind:
            await self._records.passed_over(behind)

    async def _tell(self, entry: Entry, told: Told, tries: int) -> None:
        if told.call.action == "BootNotification":
            await self._boot(replace(told.call, message_id=passing.message_id(entry, tries)))
            self._elsewhere.is_live = self._relay.owner is Owner.THERE
            await self._records.passed_over(entry.id)
            return
        call = await self._in_their_words(told.call)
        while True:
            heard = await self._call(replace(call, message_id=passing.message_id(entry, tries)))
            if isinstance(heard.frame, CallResult) or not told.carries:
                await self._answered(entry, told, heard)
                return
            over = tries >= len(self._patience.retry_s)
            await self._records.refused(entry, heard.text, self._clock.now(), over=over)
            if over:
                metrics.RELAYED.labels("refused").inc()
                return
            await self._clock.sleep(self._patience.retry_s[tries])
            tries += 1

    async def _answered(self, entry: Entry, told: Told, heard: Heard) -> None:
        answer = heard.payload if isinstance(heard.frame, CallResult) else None
        self._elsewhere.answered(told.call.message_id, entry.at, answer)
        metrics.RELAYED.labels("answered").inc()
        gives_id = self._version is Version.V16 and told.call.action == "StartTransaction"
        theirs = passing.id_in(heard.payload) if gives_id else None
        await self._records.delivered(
            entry,
            heard.text,
            self._clock.now(),
            ids=None if theirs is None else await self._ids(entry, told.call, theirs),
            trouble=Trouble.INVALID_ANSWER if gives_id and theirs is None else None,
        )

    async def _in_their_words(self, call: Call) -> Call:
        number = passing.number_of(call) if self._version is Version.V16 else None
        theirs = None if number is None else await self._theirs(number)
        return passing.in_their_words(self._version, call, theirs)

    async def _theirs(self, ours: int) -> int | None:
        """The backend's id of a charge; the last one is remembered, for the readings that follow."""
        if self._charge[0] != ours:
            self._charge = (ours, await self._records.theirs(ours))
        return self._charge[1]

    async def _ids(self, entry: Entry, start: Call, theirs: int) -> tuple[int, int] | None:
        """The ids (ours, theirs) of a 1.6 charge whose start was answered."""
        ours = passing.our_id(start, await self._records.answers_after(entry.id), self._version)
        if ours is None:
            return None
        self._charge = (ours, theirs)
        return self._charge

    # --- waiting ----------------------------------------------------------------------------------------

    async def _idle(self) -> None:
        if self._clock.now() >= self._heartbeat_due:
            await self._call(Call(message_id=new_id(), action="Heartbeat", payload={}))
        try:
            async with asyncio.timeout(self._patience.poll_s):
                await self._said.wait()
        except TimeoutError:
            return

    def _put_off_heartbeat(self) -> None:
        self._heartbeat_due = self._clock.now() + timedelta(seconds=self._heartbeat_s)

    # --- the line ---------------------------------------------------------------------------------------

    async def _call(self, call: Call) -> Heard:
        """Say one thing and wait for its answer; LineError when there is none."""
        answer: asyncio.Future[Heard] = asyncio.get_running_loop().create_future()
        self._asked = (call.message_id, answer)
        await self._line.send(write_call(call.message_id, call.action, call.payload))
        self._put_off_heartbeat()  # any message shows that the station lives (1.6 4.6)
        try:
            async with asyncio.timeout(self._patience.answer_s):
                return await answer
        except TimeoutError:
            raise LineError(Trouble.SILENT) from None

    async def _read(self) -> None:
        while True:
            text = await self._line.recv()
            frame = read_frame(text, self._version)
            if isinstance(frame, Call):
                await self._take_order(frame)
            elif isinstance(frame, Malformed):
                await self._complain(frame)
            else:
                self._take_answer(Heard(frame, text))

    def _take_answer(self, heard: Heard) -> None:
        """Nobody waits for an answer with another id, nor for a second one."""
        if self._asked is not None and self._asked[0] == heard.frame.message_id and not self._asked[1].done():
            self._asked[1].set_result(heard)

    async def _complain(self, frame: Malformed) -> None:
        if frame.answerable:
            await self._line.send(write_error(frame.message_id, frame.code, frame.reason, self._version))

    # --- what the backend asks for ----------------------------------------------------------------------

    async def _take_order(self, call: Call) -> None:
        number = answering.theirs_in(call)
        ours = None if number is None else await self._records.ours(number)
        ruling = answering.rule(self._version, self._relay.owner, call, ours)
        if isinstance(ruling, str):
            await self._line.send(ruling)
        elif self._orders.full():
            await self._line.send(answering.refusal(self._version, call, "one thing after another"))
        else:
            self._orders.put_nowait(replace(call, payload=ruling.payload))

    async def _obey(self) -> None:
        """One order after another; its command is followed to its end though the line may be gone by then."""
        while True:
            call = await self._orders.get()
            await self._line.send(await asyncio.shield(self._process.create_task(self._outcome(call))))

    async def _outcome(self, call: Call) -> str:
        relay = self._relay
        try:
            result = await self._commands.send(
                relay.organisation_id,
                relay.charging_station,
                call.action,
                call.payload,
                timeout_s=ORDER_S,
                origin="relay",
            )
        except StoreUnavailableError:
            return answering.refusal(self._version, call, "nothing can be kept now")
        if isinstance(result, Refused):
            return answering.refusal(self._version, call, result.code)
        return answering.told_by_station(
            self._version, call, result.state.value, result.response, result.error
        )
