from __future__ import annotations

from chargepoint_emulator.queue import Message, MessageQueue
from chargepoint_emulator.wire import JsonObject


def message(name: str, tx_key: str | None = None, *, early: bool = False) -> Message:
    return Message(message_id=name, action=name, payload={}, tx_key=tx_key, early=early)


def queue_of(*messages: Message) -> MessageQueue:
    queue = MessageQueue()
    for one in messages:
        queue.push(one)
    return queue


def test_messages_leave_in_the_order_they_came() -> None:
    first, second = message("a"), message("b", "tx")
    queue = queue_of(first, second)
    assert queue.ready(0, registered=True) is first
    queue.done(first, {})
    assert queue.ready(0, registered=True) is second


def test_before_the_registration_only_early_messages_go() -> None:
    boot = message("boot", early=True)
    queue = queue_of(message("start", "tx"))
    assert queue.ready(0, registered=False) is None
    queue.push_front(boot)
    assert queue.ready(0, registered=False) is boot


def test_loss_of_the_connection_keeps_only_transactions() -> None:
    answers: list[JsonObject | None] = []
    authorise = message("authorise")
    authorise.on_result = answers.append
    start = message("start", "tx")
    queue = queue_of(message("heartbeat"), start, authorise)
    queue.drop_volatile()
    assert len(queue) == 1
    assert queue.ready(0, registered=True) is start
    assert answers == [None]


def test_refused_transaction_message_is_retried_later_and_later_then_given_up() -> None:
    start = message("start", "tx")
    queue = queue_of(start)
    assert queue.failed(start, now_s=100, attempts=3, interval_s=60) is False
    assert start.not_before_s == 160
    assert queue.ready(159, registered=True) is None
    assert queue.ready(160, registered=True) is start
    assert queue.failed(start, now_s=160, attempts=3, interval_s=60) is False
    assert start.not_before_s == 280
    assert queue.failed(start, now_s=280, attempts=3, interval_s=60) is True
    assert not queue.holds()


def test_waiting_retry_holds_later_transaction_messages_but_nothing_else() -> None:
    start, stop, heartbeat = message("start", "tx"), message("stop", "tx"), message("heartbeat")
    queue = queue_of(start, stop, heartbeat)
    queue.failed(start, now_s=0, attempts=3, interval_s=60)
    assert queue.ready(1, registered=True) is heartbeat
    queue.done(heartbeat, {})
    assert queue.ready(1, registered=True) is None
    assert queue.ready(60, registered=True) is start


def test_refused_message_without_a_transaction_is_given_up_at_once() -> None:
    heartbeat = message("heartbeat")
    queue = queue_of(heartbeat)
    assert queue.failed(heartbeat, now_s=0, attempts=3, interval_s=60) is True
    assert len(queue) == 0


def test_messages_of_one_transaction_are_found() -> None:
    queue = queue_of(message("start", "tx"), message("heartbeat"))
    assert (queue.holds(), queue.holds("tx"), queue.holds("other")) == (True, True, False)
    assert queue.waiting("heartbeat")
