"""SignCertificate of OCPP 2.0.1."""

from __future__ import annotations

from supervision.csms.handlers import signing
from supervision.csms.handlers.incoming import Handler, Incoming, Payload, Services
from supervision.store.db import Tx


async def _sign_certificate(services: Services, incoming: Incoming, tx: Tx) -> Payload:
    """Answer whether it will be signed; CertificateSigned follows (A02). No certificates of ISO 15118."""
    kind = incoming.payload.get("certificateType")
    if kind == "V2GCertificate" or not await signing.take(services, incoming, tx, kind):
        return {"status": "Rejected"}
    return {"status": "Accepted"}


HANDLER = Handler(unit=_sign_certificate)
