"""No mail server is configured: messages are kept for the portal to show."""

from __future__ import annotations

from supervision.notify.model import Mail, Receipt


class KeptMail:
    """Accepts every mail and sends none."""

    async def send(self, mail: Mail) -> Receipt:
        """Say that the mail stays here."""
        return Receipt(reference=mail.reference, kept=True)
