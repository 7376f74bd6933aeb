"""SignCertificate of OCPP 1.6."""

from __future__ import annotations

from supervision.csms.handlers import signing
from supervision.csms.handlers.incoming import Handler, Incoming, Payload, Services
from supervision.store.db import Tx


async def _sign_certificate(services: Services, incoming: Incoming, tx: Tx) -> Payload:
    """Answer whether it will be signed; CertificateSigned follows (security whitepaper A02)."""
    return {"status": "Accepted" if await signing.take(services, incoming, tx) else "Rejected"}


HANDLER = Handler(unit=_sign_certificate)
