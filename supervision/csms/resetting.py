"""The way back for a charging station that was exchanged or set to its factory state.

Outside OCPP on purpose: no message and no page lowers a security profile (security whitepaper A00.FR.005).
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import update

from supervision import chance
from supervision.csms import credentials
from supervision.csms.certificate_store import CertificateState
from supervision.csms.proving import FORGOTTEN
from supervision.kernel.errors import Refused
from supervision.store.db import Database, Tx, across_tenants
from supervision.store.schema import charging_stations, station_certificates

_OPERATOR = across_tenants("whoever runs the command line runs the whole service")


async def reset_security(
    db: Database, identity: str, *, profile: int, password: str | None, now: datetime
) -> Refused | None:
    """Set profile and password as for a new station; what it was given before opens nothing any more."""
    if profile in (1, 2) and password is None:
        return Refused("password_missing")
    length = credentials.MIN_BYTES if password is None else len(password.encode())
    if not credentials.MIN_BYTES <= length <= credentials.MAX_BYTES:
        return Refused("weak_password", {"min": credentials.MIN_BYTES, "max": credentials.MAX_BYTES})
    salt = chance.new_bytes(16)
    hashed = None if password is None else credentials.hash_password(salt, password.encode())

    async def unit(tx: Tx) -> int:
        table = station_certificates
        await tx.execute(
            update(table)
            .where(
                table.c.charging_station == identity,
                table.c.fingerprint.is_not(None),
                table.c.revoked_at.is_(None),
            )
            .values(state=CertificateState.REVOKED.value, revoked_at=now)
        )
        return await tx.execute(
            update(charging_stations)
            .where(charging_stations.c.identity == identity)
            .values(
                security_profile=profile,
                wanted_profile=None,
                password_salt=None if hashed is None else salt,
                password_hash=hashed,
                password_rotated_at=None,
                installed_certificates=None,
                **FORGOTTEN,
            )
        )

    known = await db.write(_OPERATOR, unit)
    return None if known else Refused("unknown_charging_station", {"charging_station": identity})
