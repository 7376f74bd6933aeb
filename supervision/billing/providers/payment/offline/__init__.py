"""A card provider without a network: records exactly what a real one would be asked, and answers like one.

Payments live in the database, so that a restart forgets nothing. A customer's card works unless `set_card`
says otherwise; the demo and the tests use that to see declines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import delete, insert, select, update

from supervision.billing.fees import CardFee
from supervision.billing.providers.payment import Intent, IntentState, PaymentCallError, PaymentRequest
from supervision.billing.providers.payment.offline.machine import Call, Card, Recorded, act, ask, at, repeat
from supervision.chance import new_id
from supervision.clock import Clock
from supervision.kernel.timespan import format_instant, parse_instant
from supervision.store.db import Database, Reader, Tx
from supervision.store.schema import offline_cards, offline_payments

__all__ = ["Card", "OfflinePayments"]

payments: Final = offline_payments


class OfflinePayments:
    """The offline provider; see `supervision.billing.providers.payment.PaymentProvider`."""

    name = "offline"

    def __init__(self, db: Database, clock: Clock, *, ids: Callable[[], str] = new_id) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._fee = CardFee()

    async def create(self, request: PaymentRequest) -> Intent:
        """Ask for a payment, once per key."""
        now, reference = self._clock.now(), f"offline_{self._ids()}"

        async def unit(tx: Tx) -> Intent:
            known = await _by_key(tx, request.organisation_id, request.key)
            if known is not None:
                return repeat(known, request, now=now)
            card = await _card(tx, request.organisation_id, request.customer)
            recorded = ask(request, card=card, reference=reference, now=now, fee=self._fee)
            await tx.execute(insert(payments).values(**_row(recorded)))
            return recorded.intent

        return await self._db.write(request.organisation_id, unit)

    async def capture(self, organisation_id: str, reference: str, *, amount_cents: int, key: str) -> Intent:
        """Take a held amount or a part of it."""
        return await self._act(organisation_id, reference, "capture", amount_cents=amount_cents, key=key)

    async def cancel(self, organisation_id: str, reference: str, *, key: str) -> Intent:
        """Release a hold."""
        return await self._act(organisation_id, reference, "cancel", amount_cents=0, key=key)

    async def refund(self, organisation_id: str, reference: str, *, amount_cents: int, key: str) -> Intent:
        """Give captured money back."""
        return await self._act(organisation_id, reference, "refund", amount_cents=amount_cents, key=key)

    async def find(self, organisation_id: str, reference: str) -> Intent:
        """Tell where a payment stands now."""
        async with self._db.read(organisation_id) as reader:
            recorded = await _by_reference(reader, organisation_id, reference)
        return at(recorded.intent, self._clock.now())

    async def set_card(self, organisation_id: str, customer: str, card: Card) -> None:
        """Give a customer a card that answers in its own way from now on."""

        async def unit(tx: Tx) -> None:
            of_customer = (offline_cards.c.organisation_id == organisation_id) & (
                offline_cards.c.customer == customer
            )
            await tx.execute(delete(offline_cards).where(of_customer))
            await tx.execute(
                insert(offline_cards).values(
                    organisation_id=organisation_id, customer=customer, card=card.value
                )
            )

        await self._db.write(organisation_id, unit)

    async def recorded(self, organisation_id: str) -> Sequence[Recorded]:
        """Everything asked so far, oldest first."""
        async with self._db.read(organisation_id) as reader:
            rows = await reader.all(
                select(payments)
                .where(payments.c.organisation_id == organisation_id)
                .order_by(payments.c.created_at, payments.c.reference)
            )
        return [_recorded(row) for row in rows]

    async def _act(
        self, organisation_id: str, reference: str, action: str, *, amount_cents: int, key: str
    ) -> Intent:
        call = Call(key=key, action=action, amount_cents=amount_cents, at=self._clock.now())

        async def unit(tx: Tx) -> Intent:
            recorded = await _by_reference(tx, organisation_id, reference)
            changed = act(recorded, call, fee=self._fee)
            await tx.execute(
                update(payments)
                .where(payments.c.organisation_id == organisation_id, payments.c.reference == reference)
                .values(**_row(changed))
            )
            return changed.intent

        return await self._db.write(organisation_id, unit)


async def _card(reader: Reader, organisation_id: str, customer: str) -> Card:
    word = await reader.scalar(
        select(offline_cards.c.card).where(
            offline_cards.c.organisation_id == organisation_id, offline_cards.c.customer == customer
        )
    )
    return Card.WORKS if word is None else Card(word)


async def _by_key(reader: Reader, organisation_id: str, key: str) -> Recorded | None:
    row = await reader.first(
        select(payments).where(payments.c.organisation_id == organisation_id, payments.c.key == key)
    )
    return None if row is None else _recorded(row)


async def _by_reference(reader: Reader, organisation_id: str, reference: str) -> Recorded:
    row = await reader.first(
        select(payments).where(
            payments.c.organisation_id == organisation_id, payments.c.reference == reference
        )
    )
    if row is None:
        raise PaymentCallError("unknown_payment", {"reference": reference})
    return _recorded(row)


REQUEST_FIELDS: Final = tuple(PaymentRequest.__dataclass_fields__)
INTENT_FIELDS: Final = tuple(Intent.__dataclass_fields__)


def _recorded(row: Mapping[str, Any]) -> Recorded:
    intent = {name: row[name] for name in INTENT_FIELDS} | {"state": IntentState(row["state"])}
    return Recorded(
        request=PaymentRequest(**{name: row[name] for name in REQUEST_FIELDS}),
        intent=Intent(**intent),
        created_at=row["created_at"],
        calls=tuple(Call(**{**call, "at": parse_instant(call["at"])}) for call in row["calls"]),
    )


def _row(recorded: Recorded) -> dict[str, Any]:
    return {
        **vars(recorded.request),
        **vars(recorded.intent),
        "state": recorded.intent.state.value,
        "created_at": recorded.created_at,
        "calls": [{**vars(call), "at": format_instant(call.at)} for call in recorded.calls],
    }
