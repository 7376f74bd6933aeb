"""The contract of every payment provider."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from supervision.billing.providers.payment import (
    Intent,
    IntentState,
    PaymentCallError,
    PaymentProvider,
    PaymentRequest,
)
from supervision.billing.providers.payment.offline import Card, OfflinePayments
from supervision.clock import FixedClock
from supervision.store.db import Database
from tests import factories

REQUEST = PaymentRequest(
    organisation_id="org",
    key="p1:1",
    customer="d1",
    amount_cents=1300,
    currency="EUR",
    description="F2026-000001",
)
both_databases = pytest.mark.parametrize("database_url", ["sqlite_url", "postgres_url"], indirect=True)
HOLD = replace(REQUEST, capture="manual", amount_cents=30000, key="hold")


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """SQLite, unless the test is about what the database does."""
    return str(request.getfixturevalue(getattr(request, "param", "sqlite_url")))


@pytest.fixture
async def offline(db: Database, clock: FixedClock) -> OfflinePayments:
    await factories.write_service(db)
    return OfflinePayments(db, clock)


@pytest.fixture
def provider(offline: OfflinePayments) -> PaymentProvider:
    return offline


async def refused_code(provider: PaymentProvider, intent: Intent, *, refund_cents: int, key: str) -> str:
    with pytest.raises(PaymentCallError) as refused:
        await provider.refund("org", intent.reference, amount_cents=refund_cents, key=key)
    return refused.value.code


async def test_C30_a_card_that_works_is_captured_at_once(provider: PaymentProvider) -> None:
    intent = await provider.create(REQUEST)
    assert (intent.state, intent.captured_cents) == (IntentState.SUCCEEDED, 1300)
    assert await provider.find("org", intent.reference) == intent


@both_databases
async def test_C30_the_same_key_is_answered_once(provider: PaymentProvider) -> None:
    assert await provider.create(REQUEST) == await provider.create(REQUEST)


async def test_C30_a_key_with_other_facts_is_refused(provider: PaymentProvider) -> None:
    await provider.create(REQUEST)
    with pytest.raises(PaymentCallError) as refused:
        await provider.create(replace(REQUEST, amount_cents=1301))
    assert refused.value.code == "key_reused"


async def test_nothing_cannot_be_asked(provider: PaymentProvider) -> None:
    with pytest.raises(PaymentCallError) as refused:
        await provider.create(replace(REQUEST, amount_cents=0))
    assert refused.value.code == "amount_too_small"


@both_databases
async def test_C15_a_hold_is_captured_in_part(provider: PaymentProvider) -> None:
    held = await provider.create(HOLD)
    assert (held.state, held.captured_cents) == (IntentState.REQUIRES_CAPTURE, 0)
    taken = await provider.capture("org", held.reference, amount_cents=12000, key="c1")
    assert (taken.state, taken.captured_cents) == (IntentState.SUCCEEDED, 12000)
    again = await provider.capture("org", held.reference, amount_cents=12000, key="c1")
    assert again == taken


async def test_C15_more_than_the_hold_cannot_be_captured(provider: PaymentProvider) -> None:
    held = await provider.create(HOLD)
    with pytest.raises(PaymentCallError) as refused:
        await provider.capture("org", held.reference, amount_cents=30001, key="c1")
    assert refused.value.code == "amount_too_large"


async def test_C15_a_released_hold_cannot_be_captured(provider: PaymentProvider) -> None:
    held = await provider.create(HOLD)
    assert (await provider.cancel("org", held.reference, key="x1")).state is IntentState.CANCELLED
    with pytest.raises(PaymentCallError) as refused:
        await provider.capture("org", held.reference, amount_cents=1, key="c1")
    assert refused.value.code == "wrong_state"


async def test_refunds_never_exceed_what_was_captured(provider: PaymentProvider) -> None:
    intent = await provider.create(REQUEST)
    part = await provider.refund("org", intent.reference, amount_cents=1000, key="r1")
    assert (part.refunded_cents, part.captured_cents) == (1000, 1300)
    assert await provider.refund("org", intent.reference, amount_cents=1000, key="r1") == part
    assert await refused_code(provider, intent, refund_cents=301, key="r2") == "amount_too_large"
    assert await refused_code(provider, intent, refund_cents=999, key="r1") == "key_reused"


async def test_an_unknown_payment_is_refused(provider: PaymentProvider) -> None:
    with pytest.raises(PaymentCallError) as refused:
        await provider.find("org", "nothing")
    assert refused.value.code == "unknown_payment"


# the offline provider's own


@pytest.mark.parametrize(
    ("card", "state", "code"),
    [
        (Card.DECLINED, IntentState.DECLINED, "card_declined"),
        (Card.INSUFFICIENT_FUNDS, IntentState.DECLINED, "insufficient_funds"),
        (Card.NEEDS_CONFIRMATION, IntentState.REQUIRES_ACTION, "authentication_required"),
    ],
)
async def test_C30_cards_decline_on_demand(
    offline: OfflinePayments, card: Card, state: IntentState, code: str
) -> None:
    await offline.set_card("org", "d1", card)
    intent = await offline.create(REQUEST)
    assert (intent.state, intent.decline_code, intent.captured_cents) == (state, code, 0)
    await offline.set_card("org", "d1", Card.WORKS)
    assert (await offline.create(REQUEST)).state is state
    assert (await offline.create(replace(REQUEST, key="p1:2"))).state is IntentState.SUCCEEDED


async def test_C15_a_hold_lapses_after_seven_days(offline: OfflinePayments, clock: FixedClock) -> None:
    held = await offline.create(HOLD)
    assert held.capture_before == clock.now() + timedelta(days=7)
    clock.advance(days=7)
    assert (await offline.find("org", held.reference)).state is IntentState.EXPIRED
    with pytest.raises(PaymentCallError) as refused:
        await offline.capture("org", held.reference, amount_cents=1, key="c1")
    assert refused.value.code == "wrong_state"


async def test_C14_the_fee_is_taken_once_and_kept_on_a_refund(offline: OfflinePayments) -> None:
    intent = await offline.create(replace(REQUEST, amount_cents=1200))
    assert intent.fee_cents == 43
    assert (await offline.refund("org", intent.reference, amount_cents=1200, key="r1")).fee_cents == 43


@both_databases
async def test_C30_what_was_asked_is_recorded_exactly(offline: OfflinePayments, clock: FixedClock) -> None:
    intent = await offline.create(REQUEST)
    clock.advance(hours=1)
    await offline.refund("org", intent.reference, amount_cents=300, key="r1")
    (recorded,) = await offline.recorded("org")
    assert recorded.request == REQUEST
    assert [(call.key, call.action, call.amount_cents, call.at) for call in recorded.calls] == [
        ("r1", "refund", 300, clock.now())
    ]
