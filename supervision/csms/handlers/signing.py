"""SignCertificate of both versions: the request is kept and judged at once, signed after the answer."""

from __future__ import annotations

from typing import Any

from supervision.csms.certificate_store import keep_request
from supervision.csms.handlers.incoming import Incoming, Services
from supervision.csms.requests import read_request
from supervision.kernel.errors import Refused
from supervision.kernel.events import CertificateRefused, CertificateRequested
from supervision.store.db import Tx


async def take(services: Services, incoming: Incoming, tx: Tx, kind: str | None = None) -> bool:
    """Keep the request; True when it will be signed. The signature follows by way of the outbox."""
    if services.authority is None:
        return False
    station, csr = incoming.station, str(incoming.payload["csr"])
    read = read_request(csr, station.identity)
    refusal = read if isinstance(read, Refused) else None
    row_id = await keep_request(tx, station, csr=csr, kind=kind, refusal=refusal, now=incoming.now)
    if row_id is None:
        return False
    about: dict[str, Any] = {**station.about, "certificate_id": row_id}
    tx.emit(
        CertificateRequested(**about) if refusal is None else CertificateRefused(**about, reason=refusal.code)
    )
    tx.touch(station.topic)
    return refusal is None
