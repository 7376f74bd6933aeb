"""The life of the payment of one invoice, as a table; pure.

=============  ==========================  =============
state          what happened               next state
=============  ==========================  =============
due            its hour came               asked
asked          the card said yes           paid
asked          the card said no            due (later), after the last try: declined
due, declined  the invoice was credited    cancelled
paid           the invoice was credited    refund_due
refund_due     the provider gave it back   refunded
asked          the call was refused        declined
refund_due     the call was refused        refund_failed
=============  ==========================  =============

Every try has its own idempotency key, because a provider repeats its answer for a known key; asking again
after a crash uses the key of the try that was not answered, so that no try takes money twice (C30).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from supervision.billing.providers.payment import Intent, IntentState
from supervision.kernel.errors import Refused

RETRY_AFTER: Sequence[timedelta] = (timedelta(days=1), timedelta(days=3), timedelta(days=7))
ANSWER_WITHIN = timedelta(minutes=10)  # a try without answer for longer is asked again, with its key


class PaymentState(StrEnum):
    """Where the payment of an invoice stands with us."""

    DUE = "due"
    ASKED = "asked"
    PAID = "paid"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    REFUND_DUE = "refund_due"
    REFUNDED = "refunded"
    REFUND_FAILED = "refund_failed"


@dataclass(frozen=True, kw_only=True)
class Payment:
    """The payment of one invoice; `attempts` counts the tries, `provider_reference` is of the last one."""

    id: str
    organisation_id: str
    invoice_id: str
    provider: str
    amount_cents: int
    state: PaymentState
    due_at: datetime
    provider_reference: str | None = None
    asked_at: datetime | None = None
    settled_at: datetime | None = None
    attempts: int = 0
    fee_cents: int | None = None
    detail: str | None = None

    @property
    def key(self) -> str:
        """Idempotency key of the present try."""
        return f"{self.id}:{self.attempts}"


def is_due(payment: Payment, now: datetime) -> bool:
    """Tell whether the card must be asked now: for the first time, once more, or again after a crash."""
    if payment.state is PaymentState.DUE:
        return payment.due_at <= now
    if payment.state is PaymentState.ASKED and payment.asked_at is not None:
        return payment.asked_at + ANSWER_WITHIN <= now
    return False


def asked(payment: Payment, now: datetime) -> Payment:
    """Note that the card is being asked, before it is."""
    tries = payment.attempts + (payment.state is PaymentState.DUE)
    return replace(payment, state=PaymentState.ASKED, asked_at=now, attempts=tries)


def answered(
    payment: Payment, intent: Intent, now: datetime, *, retry_after: Sequence[timedelta] = RETRY_AFTER
) -> Payment:
    """Note the provider's answer; an answer to a payment that is no longer asked changes nothing."""
    if payment.state is not PaymentState.ASKED:
        return payment
    noted = replace(payment, provider_reference=intent.reference, detail=intent.decline_code)
    if intent.state is IntentState.SUCCEEDED:
        return replace(noted, state=PaymentState.PAID, settled_at=now, fee_cents=intent.fee_cents)
    if payment.attempts > len(retry_after):
        return replace(noted, state=PaymentState.DECLINED, settled_at=now)
    return replace(noted, state=PaymentState.DUE, due_at=now + retry_after[payment.attempts - 1])


def credited(payment: Payment) -> Payment | Refused:
    """The invoice was taken back: forget the payment or give it back."""
    if payment.state in {PaymentState.DUE, PaymentState.DECLINED}:
        return replace(payment, state=PaymentState.CANCELLED)
    if payment.state is PaymentState.PAID:
        return replace(payment, state=PaymentState.REFUND_DUE)
    return Refused("payment_in_progress", {"state": payment.state.value})


def refunded(payment: Payment, now: datetime) -> Payment:
    """The provider gave the money back."""
    return replace(payment, state=PaymentState.REFUNDED, settled_at=now)


def refused(payment: Payment, code: str, now: datetime) -> Payment:
    """The provider refuses the call itself: a person must look, asking again cannot help."""
    failed = {
        PaymentState.ASKED: PaymentState.DECLINED,
        PaymentState.REFUND_DUE: PaymentState.REFUND_FAILED,
    }
    return replace(payment, state=failed.get(payment.state, payment.state), detail=code, settled_at=now)
