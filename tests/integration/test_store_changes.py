from __future__ import annotations

import asyncio

from supervision.store.changes import Changes


async def test_topics_are_collapsed_until_taken() -> None:
    changes = Changes()
    with changes.subscribe() as subscription:
        changes.publish({"station:a"})
        changes.publish({"station:a", "station:b"})
        assert await subscription.take() == {"station:a", "station:b"}
        changes.publish({"station:c"})
        assert await subscription.take() == {"station:c"}


async def test_every_subscriber_is_told() -> None:
    changes = Changes()
    with changes.subscribe() as first, changes.subscribe() as second:
        changes.publish({"x"})
        assert (await first.take(), await second.take()) == ({"x"}, {"x"})


async def test_taking_waits_for_a_change() -> None:
    changes = Changes()
    with changes.subscribe() as subscription:
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(subscription.take())
            await asyncio.sleep(0)
            assert not waiting.done()
            changes.publish({"x"})
        assert waiting.result() == {"x"}


async def test_subscription_is_a_stream_of_changes() -> None:
    changes, seen = Changes(), list[set[str]]()
    with changes.subscribe() as subscription:
        changes.publish({"0"})
        async for topics in subscription:
            seen.append(topics)
            if len(seen) == 3:
                break
            changes.publish({str(len(seen))})
    assert seen == [{"0"}, {"1"}, {"2"}]


async def test_who_left_is_told_nothing() -> None:
    changes = Changes()
    with changes.subscribe() as subscription:
        pass
    changes.publish({"x"})
    assert changes._subscriptions == set()
    assert subscription._topics == set()


def test_nobody_listening_is_no_error() -> None:
    Changes().publish({"x"})


async def test_closed_hub_ends_every_stream_also_later_ones() -> None:
    changes = Changes()
    with changes.subscribe() as subscription:
        changes.publish({"x"})
        changes.close()
        assert [topics async for topics in subscription] == [{"x"}]
    with changes.subscribe() as late:
        assert await late.take() == set()
        assert late.closed
