"""How a card provider behaves, as pure functions on a recorded payment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from supervision.billing.fees import CardFee
from supervision.billing.providers.payment import (
    Intent,
    IntentState,
    PaymentCallError,
    PaymentRequest,
)

HOLD = timedelta(days=7)  # a manual capture lapses after this (C15)


class Card(StrEnum):
    """Cards of the offline provider; each answers every payment in its own way."""

    WORKS = "works"
    DECLINED = "declined"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    NEEDS_CONFIRMATION = "needs_confirmation"


ANSWERS: Mapping[Card, tuple[IntentState, str | None]] = MappingProxyType(
    {
        Card.WORKS: (IntentState.SUCCEEDED, None),
        Card.DECLINED: (IntentState.DECLINED, "card_declined"),
        Card.INSUFFICIENT_FUNDS: (IntentState.DECLINED, "insufficient_funds"),
        Card.NEEDS_CONFIRMATION: (IntentState.REQUIRES_ACTION, "authentication_required"),
    }
)


@dataclass(frozen=True, kw_only=True)
class Call:
    """One later call on a payment, remembered under its idempotency key."""

    key: str
    action: str
    amount_cents: int
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A payment with everything that was asked about it."""

    request: PaymentRequest
    intent: Intent
    created_at: datetime
    calls: tuple[Call, ...] = ()


def ask(request: PaymentRequest, *, card: Card, reference: str, now: datetime, fee: CardFee) -> Recorded:
    """Answer a first request."""
    if request.amount_cents <= 0:
        raise PaymentCallError("amount_too_small", {"amount_cents": request.amount_cents})
    state, decline_code = ANSWERS[card]
    intent = Intent(
        reference=reference, state=state, amount_cents=request.amount_cents, decline_code=decline_code
    )
    if state is IntentState.SUCCEEDED and request.capture == "manual":
        intent = replace(intent, state=IntentState.REQUIRES_CAPTURE, capture_before=now + HOLD)
    elif state is IntentState.SUCCEEDED:
        intent = _captured(intent, request.amount_cents, fee)
    return Recorded(request=request, intent=intent, created_at=now)


def repeat(recorded: Recorded, request: PaymentRequest, *, now: datetime) -> Intent:
    """Answer a request whose key is known: the same facts get the same payment, others are refused."""
    if recorded.request != request:
        raise PaymentCallError("key_reused", {"key": request.key})
    return at(recorded.intent, now)


def at(intent: Intent, now: datetime) -> Intent:
    """The payment as it stands now: holds lapse by themselves."""
    held = intent.state is IntentState.REQUIRES_CAPTURE
    if held and intent.capture_before is not None and now >= intent.capture_before:
        return replace(intent, state=IntentState.EXPIRED)
    return intent


def act(recorded: Recorded, call: Call, *, fee: CardFee) -> Recorded:
    """Capture, cancel or refund; a call known by its key changes nothing."""
    known = next((past for past in recorded.calls if past.key == call.key), None)
    if known is not None:
        if (known.action, known.amount_cents) != (call.action, call.amount_cents):
            raise PaymentCallError("key_reused", {"key": call.key})
        return recorded
    intent = at(recorded.intent, call.at)
    changed = {"capture": _capture, "cancel": _cancel, "refund": _refund}[call.action](intent, call, fee)
    return replace(recorded, intent=changed, calls=(*recorded.calls, call))


def _require(intent: Intent, state: IntentState) -> None:
    if intent.state is not state:
        raise PaymentCallError("wrong_state", {"state": intent.state.value, "wanted": state.value})


def _within(call: Call, most_cents: int) -> None:
    if not 0 < call.amount_cents <= most_cents:
        raise PaymentCallError("amount_too_large", {"amount_cents": call.amount_cents, "most": most_cents})


def _captured(intent: Intent, amount_cents: int, fee: CardFee) -> Intent:
    return replace(
        intent, state=IntentState.SUCCEEDED, captured_cents=amount_cents, fee_cents=fee.of(amount_cents)
    )


def _capture(intent: Intent, call: Call, fee: CardFee) -> Intent:
    _require(intent, IntentState.REQUIRES_CAPTURE)
    _within(call, intent.amount_cents)
    return _captured(intent, call.amount_cents, fee)


def _cancel(intent: Intent, _call: Call, _fee: CardFee) -> Intent:
    _require(intent, IntentState.REQUIRES_CAPTURE)
    return replace(intent, state=IntentState.CANCELLED)


def _refund(intent: Intent, call: Call, _fee: CardFee) -> Intent:
    """The provider keeps its fee on a refund (C14)."""
    _require(intent, IntentState.SUCCEEDED)
    _within(call, intent.captured_cents - intent.refunded_cents)
    return replace(intent, refunded_cents=intent.refunded_cents + call.amount_cents)
