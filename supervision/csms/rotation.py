"""A new password on its way to a station: both are taken until one is used, or the station has said no.

The hash is stored with the CALL that carries it, so that a station whose answer was lost gets in with the new
password as well as with the old one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from supervision import chance
from supervision.csms import credentials
from supervision.csms.credentials import Rotation
from supervision.csms.proving import FORGOTTEN, take_next_password
from supervision.csms.store import Station, update_station
from supervision.store.db import Tx
from supervision.store.schema import charging_stations


async def sent(tx: Tx, station: Station, command_id: str, action: str, payload: Mapping[str, Any]) -> None:
    """Keep the password that a CALL carries, if it carries one."""
    password = credentials.password_in(action, payload)
    if password is None:
        return
    salt = chance.new_bytes(16)
    await update_station(
        tx,
        station,
        next_password_salt=salt,
        next_password_hash=credentials.hash_password(salt, password),
        next_password_command=command_id,
        next_password_after_reboot=False,
    )


async def answered(
    tx: Tx,
    station: Station,
    command_id: str,
    action: str,
    payload: Mapping[str, Any],
    response: Mapping[str, Any] | None,
    now: datetime,
) -> None:
    """Follow what the station said of this CALL; None: that it could not (CALLERROR)."""
    carried = charging_stations.c.next_password_command == command_id
    match credentials.rotation(action, payload, response or {}):
        case Rotation.TAKEN:
            await take_next_password(tx, station, now, carried)
        case Rotation.LATER:
            await update_station(tx, station, carried, next_password_after_reboot=True)
        case Rotation.REFUSED:
            await update_station(tx, station, carried, **FORGOTTEN)
