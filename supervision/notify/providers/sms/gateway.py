"""SMS through any HTTP gateway.

``POST url {"to": "+33612345678", "text": "...", "reference": "..."}`` with a bearer token. The reference
also travels as ``Idempotency-Key``: a gateway that knows it sends the SMS once however often it is asked.
2xx: accepted, the answer's ``id`` is kept. 4xx: refused for good. 5xx, silence: tried again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpx2

from supervision.kernel.errors import FieldError
from supervision.notify.model import DeliveryError, Receipt, Sms

TIMEOUT_S = 15.0
_LATER = {408, 409, 425, 429}  # too slow, being handled, too early, too many: worth another try
_OUR_SETTINGS = {401, 403, 404, 405}  # wrong token or address: no SMS is to blame


class SmsGateway:
    """A gateway with its connections kept open: ``async with SmsGateway.open(url, token=...) as sms``."""

    def __init__(self, client: httpx2.AsyncClient, url: str) -> None:
        self._client = client
        self._url = url

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, *, token: str, timeout_s: float = TIMEOUT_S) -> AsyncIterator[SmsGateway]:
        """Open the connections for the length of an `async with` block; FieldError for a wrong URL."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise FieldError("sms_url", "an http:// or https:// address is wanted")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with httpx2.AsyncClient(headers=headers, timeout=timeout_s) as client:
            yield cls(client, url)

    async def send(self, sms: Sms) -> Receipt:
        """Hand the SMS to the gateway."""
        body = {"to": sms.recipient, "text": sms.text, "reference": sms.reference}
        try:
            answer = await self._client.post(self._url, json=body, headers={"Idempotency-Key": sms.reference})
        except httpx2.HTTPError as error:
            raise DeliveryError(f"{type(error).__name__}: {error}", unreachable=True) from error
        if answer.is_success:
            return Receipt(reference=_id_in(answer))
        raise _refusal(answer)


def _refusal(answer: httpx2.Response) -> DeliveryError:
    status = answer.status_code
    # The gateway's words may repeat the SMS, and with it the code: only the status is kept.
    detail = f"HTTP {status}"
    if status in _OUR_SETTINGS or not answer.is_client_error:
        return DeliveryError(detail, unreachable=True)
    return DeliveryError(detail, permanent=status not in _LATER)


def _id_in(answer: httpx2.Response) -> str:
    try:
        document = answer.json()
    except ValueError:
        return ""
    return str(document.get("id", "")) if isinstance(document, dict) else ""
