"""Rows of the certificates of charging stations: asked for, signed, sent, installed, taken back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import func, insert, select, update

from supervision.csms.store import Station, of_station
from supervision.kernel.errors import Refused
from supervision.store.db import Reader, Tx
from supervision.store.schema import station_certificates

MOST_AN_HOUR = 20  # requests of one station: each costs a signature
_HOUR = timedelta(hours=1)


class CertificateState(StrEnum):
    """Where a certificate stands."""

    REQUESTED = "requested"  # the station asked
    REFUSED = "refused"  # we did not sign
    ISSUED = "issued"  # signed, not yet taken by the station
    INSTALLED = "installed"  # accepted by the station, or used
    REJECTED = "rejected"  # the station did not take it
    REVOKED = "revoked"  # taken back by us: opens nothing any more


_ACTIVE = (CertificateState.REQUESTED.value, CertificateState.ISSUED.value)


async def keep_request(
    tx: Tx, station: Station, *, csr: str, kind: str | None, refusal: Refused | None, now: datetime
) -> int | None:
    """Keep a request and return its id; a repetition is the same row. None: too many within an hour."""
    table = station_certificates
    digest = hashlib.sha256(csr.encode()).hexdigest()
    known: int | None = await tx.scalar(
        select(table.c.id)
        .where(of_station(table, station), table.c.csr_digest == digest, table.c.state.in_(_ACTIVE))
        .order_by(table.c.id.desc())
        .limit(1)
    )
    if known is not None:
        return known
    count = await tx.scalar(
        select(func.count()).where(of_station(table, station), table.c.requested_at > now - _HOUR)
    )
    if count >= MOST_AN_HOUR:
        return None
    state = CertificateState.REQUESTED if refusal is None else CertificateState.REFUSED
    statement = insert(table).values(
        organisation_id=station.organisation_id,
        charging_station=station.identity,
        kind=kind,
        state=state.value,
        reason=None if refusal is None else refusal.code,
        csr=csr.replace("\0", ""),
        csr_digest=digest,
        requested_at=now,
    )
    return int(await tx.scalar(statement.returning(table.c.id)))


async def certificate(reader: Reader, organisation_id: str, certificate_id: int) -> Mapping[str, Any] | None:
    """Return a row by its id."""
    table = station_certificates
    return await reader.first(
        select(table).where(table.c.organisation_id == organisation_id, table.c.id == certificate_id)
    )


async def certificate_sent_by(
    reader: Reader, organisation_id: str, command_id: str
) -> Mapping[str, Any] | None:
    """Return the row that a CertificateSigned carried."""
    table = station_certificates
    return await reader.first(
        select(table).where(table.c.organisation_id == organisation_id, table.c.command_id == command_id)
    )


async def certificate_with_serial(
    reader: Reader, organisation_id: str, serial: str
) -> Mapping[str, Any] | None:
    """Return the row of a serial number, in any spelling of its hex."""
    table = station_certificates
    return await reader.first(
        select(table).where(
            table.c.organisation_id == organisation_id, table.c.serial == serial.upper().lstrip("0")
        )
    )


async def certificates_of(
    reader: Reader, organisation_id: str, identity: str, *, limit: int = 20
) -> Sequence[Mapping[str, Any]]:
    """Return the newest rows of a station, newest first."""
    table = station_certificates
    return await reader.all(
        select(table)
        .where(table.c.organisation_id == organisation_id, table.c.charging_station == identity)
        .order_by(table.c.id.desc())
        .limit(limit)
    )


async def change(
    tx: Tx, organisation_id: str, certificate_id: int, *when: CertificateState, **values: Any
) -> bool:
    """Change a row that is in one of these states; False when it is in another."""
    table = station_certificates
    changed = await tx.execute(
        update(table)
        .where(
            table.c.organisation_id == organisation_id,
            table.c.id == certificate_id,
            table.c.state.in_([state.value for state in when]),
        )
        .values(**values)
    )
    return changed == 1
