"""Our CALLs on one socket: in whatever order things happen, one is outstanding and every future ends."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from supervision.csms.command_policy import POLICIES, priority_of
from supervision.csms.frame import CallError, CallResult
from supervision.csms.outbound import CommandState, Outbound, Outcome, QueuedCall

ACTIONS = ("RemoteStopTransaction", "RemoteStartTransaction", "SetChargingProfile", "SetVariables", "GetLog")
FOREVER_S = 1e6

# What can happen to a socket's queue, in any order and any number of times.
EVENTS = st.one_of(
    st.tuples(st.just("put"), st.sampled_from(sorted(POLICIES)), st.booleans()),
    st.tuples(st.just("answer")),
    st.tuples(st.just("error")),
    st.tuples(st.just("wrong id")),
    st.tuples(st.just("late answer")),
    st.tuples(st.just("time out")),
    st.tuples(st.just("call off"), st.integers(0, 30)),
    st.tuples(st.just("committed")),
    st.tuples(st.just("open")),
    st.tuples(st.just("close")),
)


@dataclass
class Bench:
    """A queue whose commits are let through one by one, so that every event may fall in between."""

    put: list[asyncio.Future[Outcome]] = field(default_factory=list)
    sent: list[QueuedCall] = field(default_factory=list)
    called_off: set[str] = field(default_factory=set)
    stored: asyncio.Event = field(default_factory=asyncio.Event)
    transmitting: QueuedCall | None = None
    faults: list[str] = field(default_factory=list)
    closed: bool = False

    def __post_init__(self) -> None:
        self.outbound = Outbound(self.transmit)

    @property
    def awaiting(self) -> list[QueuedCall]:
        """CALLs on the wire that have neither been answered nor run out of time."""
        return [call for call in self.sent if not call.done.done()]

    async def transmit(self, call: QueuedCall) -> bool:
        if self.transmitting is not None or self.awaiting:
            self.faults.append(f"{call.message_id} beside {self.transmitting or self.awaiting}")
        more_urgent = [one for one in self.outbound._heap if not one.done.done() and one < call]
        if more_urgent:
            self.faults.append(f"{call.action} before {more_urgent[0].action}")
        self.transmitting = call
        self.stored.clear()
        await self.stored.wait()
        self.transmitting = None
        if call.command_id in self.called_off:
            return False
        self.sent.append(call)
        return True

    def add(self, action: str, own_time: bool) -> None:
        number = len(self.put)
        self.put.append(
            self.outbound.put(
                command_id=f"c{number}",
                action=action,
                payload={},
                timeout_s=FOREVER_S,
                answer_s=FOREVER_S if own_time else None,
            )
        )

    def happen(self, event: tuple[Any, ...]) -> None:
        match event:
            case ("put", action, own_time):
                self.add(action, own_time)
            case ("call off", number):
                self.call_off(f"c{number}")
            case ("committed",):
                self.stored.set()
            case ("open",):
                self.outbound.open()
            case ("close",):
                self.outbound.close()
                self.closed = True
            case ("wrong id",):
                assert not self.outbound.resolve(CallResult(message_id="nobody", payload={}))
            case _:
                self.end(event[0])

    def end(self, how: str) -> None:
        """End the CALL that is on the wire, if there is one; repeat the answer to one that has ended."""
        waiting = next(iter(self.awaiting), None)
        over = [call for call in self.sent if call.done.done()]
        if how == "late answer" and over:
            assert not self.outbound.resolve(CallResult(message_id=over[-1].message_id, payload={}))
        elif how == "time out" and waiting is not None:
            waiting.finish(Outcome(state=CommandState.TIMEOUT))
        elif how == "answer" and waiting is not None:
            assert self.outbound.resolve(CallResult(message_id=waiting.message_id, payload={}))
        elif how == "error" and waiting is not None:
            error = CallError(message_id=waiting.message_id, code="x", description="", details={})
            assert self.outbound.resolve(error)

    def call_off(self, command_id: str) -> None:
        """As the table does: what was sent is not called off there."""
        if command_id not in {call.command_id for call in self.sent}:
            self.called_off.add(command_id)
        self.outbound.call_off(command_id)


async def settle() -> None:
    """Let every ready callback run."""
    for _ in range(6):
        await asyncio.sleep(0)


@given(st.lists(st.tuples(EVENTS, st.booleans()), max_size=60))
@settings(max_examples=300)
def test_one_outstanding_call_whatever_happens(events: list[tuple[tuple[Any, ...], bool]]) -> None:
    """Of two events in one turn of the loop, the second comes before the queue could move."""
    asyncio.run(_play(events))


async def _play(events: list[tuple[tuple[Any, ...], bool]]) -> None:
    bench = Bench()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(bench.outbound.run())
        for event, in_one_turn in events:
            bench.happen(event)
            if not in_one_turn:
                await settle()
            assert bench.faults == []
            assert len(bench.awaiting) <= 1
        await _drain(bench)
        running.cancel()
    assert bench.faults == []
    assert all(future.done() for future in bench.put)


async def _drain(bench: Bench) -> None:
    """Answer everything that is left, one after another; of a closed socket everything has ended already."""
    bench.outbound.open()
    while not bench.closed and not all(future.done() for future in bench.put):
        await settle()
        bench.happen(("committed",))
        await settle()
        bench.happen(("answer",))
        await settle()


@given(st.permutations([action for action in ACTIONS for _ in range(2)]))
@settings(max_examples=50)
def test_what_waits_leaves_by_class_and_then_by_age(actions: list[str]) -> None:
    sent = asyncio.run(_order_of(actions))
    assert sent == [action for _, action in sorted(enumerate(actions), key=lambda one: priority_of(one[1]))]


async def _order_of(actions: list[str]) -> list[str]:
    sent: list[str] = []

    async def transmit(call: QueuedCall) -> bool:
        sent.append(call.action)
        call.finish(Outcome(state=CommandState.ANSWERED))
        return True

    outbound = Outbound(transmit)
    futures = [
        outbound.put(command_id=f"c{n}", action=action, payload={}, timeout_s=FOREVER_S)
        for n, action in enumerate(actions)
    ]
    outbound.open()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(outbound.run())
        await asyncio.wait(futures)
        running.cancel()
    return sent


async def _sent_and_silent(timeout_s: float, answer_s: float | None) -> Outcome:
    async def transmit(_call: QueuedCall) -> bool:
        return True

    outbound = Outbound(transmit)
    outbound.open()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(outbound.run())
        outcome = await outbound.put(
            command_id="c", action="GetLog", payload={}, timeout_s=timeout_s, answer_s=answer_s
        )
        running.cancel()
    return outcome


async def test_an_answer_is_awaited_for_its_own_time_after_the_sending() -> None:
    outcome = await _sent_and_silent(FOREVER_S, 0.001)
    assert outcome == Outcome(state=CommandState.TIMEOUT)


async def test_without_a_time_of_its_own_the_answer_shares_that_of_the_queue() -> None:
    outcome = await _sent_and_silent(0.001, None)
    assert outcome == Outcome(state=CommandState.TIMEOUT)


async def test_a_call_that_is_never_sent_ends_with_its_time() -> None:
    async def transmit(_call: QueuedCall) -> bool:
        raise AssertionError("the queue was never opened")

    outbound = Outbound(transmit)
    outcome = await outbound.put(
        command_id="c", action="GetLog", payload={}, timeout_s=0.001, answer_s=FOREVER_S
    )
    assert outcome == Outcome(state=CommandState.TIMEOUT)


async def test_a_closed_queue_takes_nothing() -> None:
    async def transmit(_call: QueuedCall) -> bool:
        raise AssertionError("the queue is closed")

    outbound = Outbound(transmit)
    outbound.close()
    outcome = await outbound.put(command_id="c", action="GetLog", payload={}, timeout_s=FOREVER_S)
    assert outcome == Outcome(state=CommandState.OFFLINE)
