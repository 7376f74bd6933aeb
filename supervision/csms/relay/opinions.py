"""Answers to a station that somebody else owns: ours first, committed, then the owner's part if it comes.

The seam between a conversation and its relay. It asks before the message is taken up, so that no answer can
be faster than its question, and waits after the commit, in the task of that one station. A station without
such a relay is looked up in a dictionary, and a message without a badge not even that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from weakref import WeakValueDictionary

from supervision.clock import Clock
from supervision.csms import metrics
from supervision.csms.frame import Call, CallResult, action_at_sight, read_frame, write_result
from supervision.csms.registry import Connection
from supervision.csms.relay.answering import is_theirs, may_be_theirs, with_theirs
from supervision.csms.relay.records import own_answer_stands
from supervision.csms.schemas import violations
from supervision.csms.store import HotPath
from supervision.kernel.timespan import to_millis
from supervision.log import Log
from supervision.store.db import Database, Job

log = Log("supervision.csms.relay")

Answer = Mapping[str, Any] | None


@dataclass(eq=False)
class Question:
    """A message whose answer the second backend owns in part. Dropped with the conversation that asked."""

    owner: OwnerElsewhere
    action: str
    asked_at: datetime
    answer: asyncio.Future[Answer]


class OwnerElsewhere:
    """What a relay knows of the questions of its station.

    `is_live` while the backend can be asked; `said` wakes the relay.
    """

    def __init__(self, said: asyncio.Event) -> None:
        self.is_live = False
        self.said = said
        self._questions: WeakValueDictionary[str, Question] = WeakValueDictionary()

    def asked(self, message_id: str, question: Question) -> None:
        """Note a question; one with the same id was never answered and is over."""
        self._questions[message_id] = question

    def answered(self, message_id: str, said_at: datetime, answer: Answer) -> None:
        """Pass an answer on; one to an older message with the same id is none to this."""
        question = self._questions.get(message_id)
        if question is None or question.answer.done():
            return
        if to_millis(said_at) >= to_millis(question.asked_at):  # the journal keeps milliseconds
            question.answer.set_result(answer)


class Opinions:
    """The owners elsewhere by station, and what is asked of them. One instance per process.

    `wait_s` is how long a station waits for the owner, in seconds of the world's time.
    """

    def __init__(self, db: Database, clock: Clock, *, wait_s: float) -> None:
        self._db = db
        self._hot = HotPath(db)
        self._clock = clock
        self._wait_s = wait_s
        self._owners: dict[str, OwnerElsewhere] = {}

    @contextmanager
    def of_owner(self, identity: str, owner: OwnerElsewhere) -> Iterator[None]:
        """Ask this owner about a station for the length of a `with` block."""
        self._owners[identity] = owner
        try:
            yield
        finally:
            del self._owners[identity]

    def ask(self, connection: Connection, text: str) -> Question | None:
        """Note a question before its message is taken up; None when the answer is ours alone."""
        owner = self._owners.get(connection.station.identity)
        if owner is None or not may_be_theirs(connection.version, action_at_sight(text)):
            return None
        call = read_frame(text, connection.version)
        if not isinstance(call, Call):
            return None
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        question = Question(owner, call.action, self._clock.now(), answer)
        owner.asked(call.message_id, question)
        return question

    async def settle(self, connection: Connection, question: Question, reply: str) -> str:
        """Return what the station is told: the committed reply, with the owner's part if that came."""
        ours = read_frame(reply, connection.version)
        if not isinstance(ours, CallResult) or not is_theirs(
            connection.version, question.action, ours.payload
        ):
            return reply
        theirs = await self._wait(question)
        if theirs is None or violations(connection.version, question.action, theirs, answer=True):
            station = connection.station
            log.warning("relay.own_answer_stands", charging_station=station.identity)
            metrics.RELAYED.labels("own_answer").inc()
            await own_answer_stands(self._db, station.organisation_id, station.identity)
            return reply
        told = write_result(
            ours.message_id, with_theirs(connection.version, question.action, ours.payload, theirs)
        )
        if told != reply:
            await self._journal(connection, told)
        return told

    async def _wait(self, question: Question) -> Answer:
        if not question.owner.is_live:
            return None
        question.owner.said.set()
        try:
            async with asyncio.timeout(self._wait_s):
                return await question.answer
        except TimeoutError:
            return None

    async def _journal(self, connection: Connection, told: str) -> None:
        """Keep what is said in place of the reply that stands in the journal already."""
        job = Job()
        self._hot.frame(job, connection.station, self._clock.now(), "out", told)
        await self._db.append(job)
