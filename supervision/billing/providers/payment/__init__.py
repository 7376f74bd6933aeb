"""Card payments: what billing asks of a provider, and what it is told.

Every call that moves money carries an idempotency key: repeating a call with its key returns the first answer
and moves nothing, the same key with other facts is refused. The contract that every provider passes is
`tests/integration/test_billing_payment_provider.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol

CaptureMode = Literal["automatic", "manual"]


class IntentState(StrEnum):
    """Where a payment stands at the provider."""

    SUCCEEDED = "succeeded"  # captured, maybe in part; refunds do not change this word
    REQUIRES_CAPTURE = "requires_capture"  # held on the card until `capture_before`
    REQUIRES_ACTION = "requires_action"  # the bank wants the customer to confirm
    DECLINED = "declined"
    CANCELLED = "cancelled"
    EXPIRED = "expired"  # a hold that nobody captured in time


@dataclass(frozen=True, kw_only=True)
class PaymentRequest:
    """Ask for `amount_cents` from a customer's card; `manual` only holds the amount (deposits, C15)."""

    organisation_id: str
    key: str
    customer: str
    amount_cents: int
    currency: str
    description: str
    capture: CaptureMode = "automatic"


@dataclass(frozen=True, kw_only=True)
class Intent:
    """A payment as the provider tells it; `fee_cents` is what it really took."""

    reference: str
    state: IntentState
    amount_cents: int
    captured_cents: int = 0
    refunded_cents: int = 0
    fee_cents: int = 0
    decline_code: str | None = None
    capture_before: datetime | None = None


class PaymentCallError(RuntimeError):
    """The provider refuses the call itself; repeating it cannot help. `code` is stable."""

    def __init__(self, code: str, params: Mapping[str, object] | None = None) -> None:
        super().__init__(f"{code} {dict(params or {})}")
        self.code = code


class PaymentProvider(Protocol):
    """A card provider; any exception other than PaymentCallError means: ask again with the same key."""

    @property
    def name(self) -> str:
        """Word stored with each payment, e.g. "offline"."""
        ...

    async def create(self, request: PaymentRequest) -> Intent:
        """Ask for a payment; a card that says no is an answer, not an error."""
        ...

    async def capture(self, organisation_id: str, reference: str, *, amount_cents: int, key: str) -> Intent:
        """Take a held amount or a part of it; the rest is released."""
        ...

    async def cancel(self, organisation_id: str, reference: str, *, key: str) -> Intent:
        """Release a hold."""
        ...

    async def refund(self, organisation_id: str, reference: str, *, amount_cents: int, key: str) -> Intent:
        """Give captured money back."""
        ...

    async def find(self, organisation_id: str, reference: str) -> Intent:
        """Tell where a payment stands now."""
        ...
