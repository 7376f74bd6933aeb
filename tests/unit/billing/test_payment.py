"""The life of a payment, transition by transition."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from supervision.billing.fees import CardFee
from supervision.billing.payment import (
    Payment,
    PaymentState,
    answered,
    asked,
    credited,
    is_due,
    refunded,
    refused,
)
from supervision.billing.providers.payment import Intent, IntentState
from supervision.kernel.errors import Refused

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
DUE = Payment(
    id="p1",
    organisation_id="org",
    invoice_id="i1",
    provider="offline",
    amount_cents=1300,
    state=PaymentState.DUE,
    due_at=NOW,
)
YES = Intent(
    reference="r1", state=IntentState.SUCCEEDED, amount_cents=1300, captured_cents=1300, fee_cents=45
)
NO = Intent(reference="r1", state=IntentState.DECLINED, amount_cents=1300, decline_code="card_declined")


@pytest.mark.parametrize(("amount", "fee"), [(1200, 43), (1000, 40), (0, 0)])
def test_C14_card_fee_forecast(amount: int, fee: int) -> None:
    assert CardFee().of(amount) == fee


def test_C30_a_payment_is_due_from_its_instant_on() -> None:
    assert not is_due(DUE, NOW - timedelta(seconds=1))
    assert is_due(DUE, NOW)


def test_C30_a_try_without_answer_is_asked_again_with_its_key() -> None:
    trying = asked(DUE, NOW)
    assert (trying.state, trying.attempts, trying.key) == (PaymentState.ASKED, 1, "p1:1")
    assert not is_due(trying, NOW + timedelta(minutes=9))
    later = NOW + timedelta(minutes=10)
    assert is_due(trying, later)
    assert asked(trying, later).key == "p1:1"


def test_C30_yes_pays_and_records_the_real_fee() -> None:
    paid = answered(asked(DUE, NOW), YES, NOW)
    assert (paid.state, paid.fee_cents, paid.settled_at) == (PaymentState.PAID, 45, NOW)
    assert paid.provider_reference == "r1"


def test_C30_a_second_answer_changes_nothing() -> None:
    paid = answered(asked(DUE, NOW), YES, NOW)
    assert answered(paid, NO, NOW + timedelta(days=1)) == paid


def test_C30_no_is_tried_again_after_1_3_and_7_days_then_declined() -> None:
    payment, now, pauses = DUE, NOW, []
    while payment.state is PaymentState.DUE:
        payment = answered(asked(payment, now), NO, now)
        pauses.append((payment.due_at - now).days if payment.state is PaymentState.DUE else None)
        now = payment.due_at
    assert pauses == [1, 3, 7, None]
    assert (payment.state, payment.attempts, payment.detail) == (PaymentState.DECLINED, 4, "card_declined")


@pytest.mark.parametrize(
    ("state", "after"),
    [
        (PaymentState.DUE, PaymentState.CANCELLED),
        (PaymentState.DECLINED, PaymentState.CANCELLED),
        (PaymentState.PAID, PaymentState.REFUND_DUE),
    ],
)
def test_C29_credit_forgets_or_gives_back(state: PaymentState, after: PaymentState) -> None:
    assert credited(replace(DUE, state=state)) == replace(DUE, state=after)


def test_C29_credit_waits_while_the_card_is_asked() -> None:
    assert credited(asked(DUE, NOW)) == Refused("payment_in_progress", {"state": "asked"})


def test_refund_ends_in_refunded() -> None:
    assert refunded(replace(DUE, state=PaymentState.REFUND_DUE), NOW).state is PaymentState.REFUNDED


def test_a_refused_call_waits_for_a_person() -> None:
    assert refused(asked(DUE, NOW), "key_reused", NOW).state is PaymentState.DECLINED
    failed = refused(replace(DUE, state=PaymentState.REFUND_DUE), "amount_too_large", NOW)
    assert (failed.state, failed.detail) == (PaymentState.REFUND_FAILED, "amount_too_large")
