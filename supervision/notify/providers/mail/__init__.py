"""Mail."""

from __future__ import annotations

from typing import Protocol

from supervision.notify.model import Mail, Receipt


class MailProvider(Protocol):
    """Hands mails over for delivery."""

    async def send(self, mail: Mail) -> Receipt:
        """Return when the mail was accepted; DeliveryError says why it was not."""
        ...
