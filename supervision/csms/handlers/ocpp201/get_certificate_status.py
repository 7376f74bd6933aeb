"""GetCertificateStatus of OCPP 2.0.1."""

from __future__ import annotations

from base64 import b64encode

from supervision.csms.authority import HashData
from supervision.csms.certificate_store import certificate_with_serial
from supervision.csms.handlers.incoming import Handler, Incoming, Payload, Services

FAILED = {"status": "Failed"}


async def _get_certificate_status(services: Services, incoming: Incoming) -> Payload:
    """Answer for what our own authority has signed, with its signature (RFC 6960); others we cannot judge."""
    told = incoming.payload["ocspRequestData"]
    asked = HashData(
        algorithm=str(told["hashAlgorithm"]),
        issuer_name=str(told["issuerNameHash"]),
        issuer_key=str(told["issuerKeyHash"]),
        serial=str(told["serialNumber"]),
    )
    if services.authority is None or not services.authority.issued(asked):
        return FAILED
    organisation_id = incoming.station.organisation_id
    async with services.db.read(organisation_id) as reader:
        row = await certificate_with_serial(reader, organisation_id, asked.serial)
    if row is None:
        return FAILED
    response = await services.authority.ocsp(asked, row["revoked_at"], incoming.now)
    return {"status": "Accepted", "ocspResult": b64encode(response).decode("ascii")}


HANDLER = Handler(asking=_get_certificate_status)
