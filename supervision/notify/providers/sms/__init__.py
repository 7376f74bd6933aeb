"""SMS."""

from __future__ import annotations

from typing import Protocol

from supervision.notify.model import Receipt, Sms


class SmsProvider(Protocol):
    """Hands SMS over for delivery."""

    async def send(self, sms: Sms) -> Receipt:
        """Return when the SMS was accepted; DeliveryError says why it was not."""
        ...
