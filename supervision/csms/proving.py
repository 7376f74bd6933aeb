"""What is stored of a station held against what its connection shows, and what the proof changes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from supervision.csms import credentials
from supervision.csms.admission import Channel, Claim, PasswordChange, Stored
from supervision.csms.store import Station, update_station
from supervision.store.db import Database, Tx, across_tenants
from supervision.store.schema import charging_stations, station_certificates

_DUMMY_SALT = b"\0" * 16
_HANDSHAKE = across_tenants("the organisation is not known before the station is")

FORGOTTEN: Mapping[str, Any] = {
    "next_password_salt": None,
    "next_password_hash": None,
    "next_password_command": None,
    "next_password_after_reboot": None,
}


def stored(row: Mapping[str, Any] | None) -> Stored | None:
    """Read a station's row."""
    if row is None:
        return None
    return Stored(
        identity=row["identity"],
        profile=row["security_profile"],
        has_password=row["password_hash"] is not None,
        wanted_profile=row["wanted_profile"],
        has_next_password=row["next_password_hash"] is not None,
        next_after_reboot=bool(row["next_password_after_reboot"]),
    )


def claim(row: Mapping[str, Any] | None, password: bytes | None, channel: Channel, *, revoked: bool) -> Claim:
    """Compare with both passwords, whatever is stored and given: every station costs the same time."""
    return Claim(
        channel=channel,
        old_password=_matches(row, "password", password),
        next_password=_matches(row, "next_password", password),
        revoked=revoked,
    )


def _matches(row: Mapping[str, Any] | None, name: str, password: bytes | None) -> bool:
    """For what is not stored: a constant that no password hashes to."""
    hashed = None if row is None else row[f"{name}_hash"]
    salt = _DUMMY_SALT if row is None or hashed is None else row[f"{name}_salt"]
    same = credentials.matches(hashed or _DUMMY_SALT * 2, salt, password or b"")
    return same and hashed is not None and password is not None


async def is_revoked(db: Database, channel: Channel) -> bool:
    """Tell whether the certificate shown was taken back by us."""
    if channel.certificate is None:
        return False
    table = station_certificates
    async with db.read(_HANDSHAKE) as reader:
        row = await reader.first(
            select(table.c.id)
            .where(table.c.fingerprint == channel.certificate.fingerprint, table.c.revoked_at.is_not(None))
            .limit(1)
        )
    return row is not None


async def note(tx: Tx, station: Station, now: datetime) -> None:
    """Keep what the handshake has proved: the password in use, a higher profile, a certificate that works."""
    proof = station.proof
    match proof.password:
        case PasswordChange.TAKE:
            await take_next_password(tx, station, now)
        case PasswordChange.DROP:
            await update_station(tx, station, **FORGOTTEN)
    if proof.profile is not None:
        await _raise_profile(tx, station, proof.profile)
    if proof.certificate is not None:
        await _used(tx, station, proof.certificate, now)


async def take_next_password(tx: Tx, station: Station, now: datetime, *conditions: Any) -> None:
    """Make the password on its way the only one; nothing when there is none (a repetition)."""
    table = charging_stations
    await update_station(
        tx,
        station,
        table.c.next_password_hash.is_not(None),
        *conditions,
        password_salt=table.c.next_password_salt,
        password_hash=table.c.next_password_hash,
        password_rotated_at=now,
        **FORGOTTEN,
    )


async def _raise_profile(tx: Tx, station: Station, profile: int) -> None:
    """Only ever upwards, whatever came between."""
    lower = charging_stations.c.security_profile < profile
    await update_station(tx, station, lower, security_profile=profile, wanted_profile=None)


async def _used(tx: Tx, station: Station, fingerprint: str, now: datetime) -> None:
    """A certificate that opens is installed, also when its answer was lost."""
    table = station_certificates
    await tx.execute(
        update(table)
        .where(
            table.c.organisation_id == station.organisation_id,
            table.c.charging_station == station.identity,
            table.c.fingerprint == fingerprint,
            table.c.used_at.is_(None),
        )
        .values(used_at=now, state="installed")
    )
